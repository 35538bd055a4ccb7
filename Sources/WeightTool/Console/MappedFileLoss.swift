import Formats
import Support

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A mapped file that another program cuts has nothing to give where it was, and the system sends a
/// signal to whoever asks: this makes an error of it like any other.
enum MappedFileLoss {
  static func install() {
    var action = sigaction()
    action.sa_flags = Int32(SA_SIGINFO)
    #if canImport(Glibc)
      action.__sigaction_handler.sa_sigaction = { _, info, _ in MappedFileLoss.handle(info) }
    #else
      action.__sigaction_u.__sa_sigaction = { _, info, _ in MappedFileLoss.handle(info) }
    #endif
    sigaction(SIGBUS, &action, nil)
  }

  /// Only weights that are being read raise it, so the thread holds no lock and is not in the allocator.
  private static func handle(_ info: UnsafeMutablePointer<siginfo_t>?) {
    guard let path = (info?.pointee.address).flatMap(MappedFile.path) else {
      // Not ours: it strikes again and ends the process as it would have.
      signal(SIGBUS, SIG_DFL)
      return
    }
    TemporaryFiles.removeAll {
      let error = FormatError(
        .fileChanged, file: path, found: "it became shorter while its weights were used",
        remedy: "leave it alone while it is used, or read it as a whole with --no-map")
      Console.tellFailure("\(error) [\(error.codeName)]", error.codeName, error.category)
      _exit(error.category.rawValue)
    }
  }
}

extension siginfo_t {
  fileprivate var address: UInt {
    #if canImport(Glibc)
      UInt(bitPattern: _sifields._sigfault.si_addr)
    #else
      UInt(bitPattern: si_addr)
    #endif
  }
}
