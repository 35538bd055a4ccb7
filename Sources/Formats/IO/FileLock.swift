#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A lock on a file, held until the value goes away or the process ends, however it ends.
public final class FileLock: Sendable {
  private let descriptor: Int32
  private let fileSystem: any FileSystem

  /// Takes the lock, or gives nil when another holder has it.
  ///
  /// - Parameter path: a file, made when it is not there and left there afterwards.
  /// - Throws: `FormatError` with code `outputUnavailable` or `ioError`.
  public init?(_ path: String, fileSystem: any FileSystem = POSIXFileSystem()) throws {
    self.fileSystem = fileSystem
    descriptor = try openForWriting(path, fileSystem)
    do {
      let descriptor = descriptor
      while true {
        do {
          try fileSystem.lock(descriptor)
          return
        } catch let failure as SystemFailure where failure.errno == EINTR {}
      }
    } catch let failure as SystemFailure {
      try? fileSystem.close(descriptor)
      if failure.errno == EWOULDBLOCK { return nil }
      throw FormatError.io("lock", path, failure)
    }
  }

  // Closing the only descriptor gives the lock back.
  deinit { try? fileSystem.close(descriptor) }
}

/// Opens a file for writing, made when it is not there.
///
/// - Throws: `FormatError` with code `outputUnavailable` or `ioError`.
public func openForWriting(_ path: String, _ fileSystem: any FileSystem) throws -> Int32 {
  try creating("open", path) { try fileSystem.openForWriting(path, permissions: 0o644) }
}

/// Runs a call that makes something new until it is not interrupted, and words its failure.
///
/// - Throws: `FormatError` with code `ioError` for a disk that is full or failing, else
///   `outputUnavailable`.
func creating<Result>(
  _ operation: String, _ path: String, _ call: () throws -> Result
) throws -> Result {
  while true {
    do {
      return try call()
    } catch let failure as SystemFailure {
      switch failure.errno {
      case EINTR: continue
      case ENOSPC, EIO, EDQUOT: throw FormatError.io(operation, path, failure)
      default: throw FormatError(.outputUnavailable, file: path, found: failure.text)
      }
    }
  }
}
