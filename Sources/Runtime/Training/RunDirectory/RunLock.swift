import Formats

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Keeps other trainers out of a directory for as long as it lives, even if the process is killed.
final class RunLock: Sendable {
  private let descriptor: Int32

  /// - Throws: `TrainingError` with code `locked`, or `FormatError` when there can be no lock.
  init(_ directory: String) throws {
    let path = directory + "/.lock"
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw FormatError(
        .outputUnavailable, file: path, found: String(cString: strerror(errno)))
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let failure = errno
      close(descriptor)
      guard failure == EWOULDBLOCK else {
        throw FormatError(.ioError, file: path, found: String(cString: strerror(failure)))
      }
      throw TrainingError(
        .locked, file: directory,
        remedy: "wait for it, stop it, or train in another directory (-o)")
    }
  }

  deinit { close(descriptor) }
}
