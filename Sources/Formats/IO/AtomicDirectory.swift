#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A directory of files that appears under its name complete and durable, or not at all.
///
/// Files are written into `path`, whose name says that it is not complete; `commit` renames it. One
/// that is dropped without `commit` leaves nothing behind, and what a killed process left is found
/// by its name.
public final class AtomicDirectory {
  public let target: String
  /// Where the files are to be written until the directory is complete.
  public let path: String
  private let fileSystem: any FileSystem
  private var isOpen = true

  /// What every directory that is not complete begins with.
  public static let prefix = ".incomplete-"

  /// Makes the directory under its other name.
  ///
  /// - Throws: `FormatError` with code `outputUnavailable` or `ioError`.
  public init(target: String, fileSystem: any FileSystem = POSIXFileSystem()) throws {
    self.target = target
    self.fileSystem = fileSystem
    path = Self.aside(target)
    try Self.removeTree(path, fileSystem)
    try createDirectory(path, fileSystem: fileSystem)
  }

  deinit { discard() }

  private static func aside(_ target: String, _ kind: String = "") -> String {
    "\(parentDirectory(of: target))/\(prefix)\(kind)\(lastComponent(of: target))"
  }

  /// Gives the directory, whose files are durable already, its name.
  ///
  /// One of that name that is there is removed afterwards.
  /// - Throws: `FormatError` with code `ioError`; what was there before is then there still, except
  ///   after a failed sync of the directory around it.
  public func commit() throws {
    let replaced = Self.aside(target, "replaced-")
    var isReplacing = false
    do {
      try once("fsync of the directory", path) { try fileSystem.synchronizeDirectory(path) }
      try Self.removeTree(replaced, fileSystem)
      if (try? fileSystem.status(path: target)) != nil {
        try retryingInterrupts("rename", target) { try fileSystem.rename(target, to: replaced) }
        isReplacing = true
      }
      try retryingInterrupts("rename", target) { try fileSystem.rename(path, to: target) }
      isOpen = false
    } catch {
      if isReplacing { try? fileSystem.rename(replaced, to: target) }
      discard()
      throw error
    }
    let parent = parentDirectory(of: target)
    try once("fsync of the directory", target) { try fileSystem.synchronizeDirectory(parent) }
    if isReplacing { try Self.removeTree(replaced, fileSystem) }
  }

  private func once(_ operation: String, _ path: String, _ call: () throws -> Void) throws {
    do {
      try call()
    } catch let failure as SystemFailure {
      throw FormatError.io(operation, path, failure)
    }
  }

  /// Removes what was written; does nothing after `commit`.
  public func discard() {
    guard isOpen else { return }
    isOpen = false
    try? Self.removeTree(path, fileSystem)
  }

  /// Removes a directory of files so that it is never seen with some of them missing.
  ///
  /// - Throws: `FormatError` with code `ioError`.
  public static func remove(
    _ target: String, fileSystem: any FileSystem = POSIXFileSystem()
  ) throws {
    let aside = aside(target, "removed-")
    try removeTree(aside, fileSystem)
    try retryingInterrupts("rename", target) { try fileSystem.rename(target, to: aside) }
    try removeTree(aside, fileSystem)
  }

  /// Removes what processes that were killed left in a directory.
  ///
  /// - Throws: `FormatError` with code `ioError`.
  public static func removeLeftovers(
    in directory: String, fileSystem: any FileSystem = POSIXFileSystem()
  ) throws {
    for name in try entries(of: directory, fileSystem: fileSystem) where name.hasPrefix(prefix) {
      try removeTree("\(directory)/\(name)", fileSystem)
    }
  }

  /// Removes whatever has that name, and what is in it if it is a directory.
  ///
  /// Names are unlinked first, which no link is followed by: what a link leads to is not ours.
  private static func removeTree(_ path: String, _ fileSystem: any FileSystem) throws {
    do {
      return try withoutInterrupts { try fileSystem.remove(path) }
    } catch let failure as SystemFailure {
      switch failure.errno {
      case ENOENT: return
      // Linux says the first of a directory, POSIX the second.
      case EISDIR, EPERM: break
      default: throw FormatError.io("remove", path, failure)
      }
    }
    for name in try entries(of: path, fileSystem: fileSystem) {
      try removeTree("\(path)/\(name)", fileSystem)
    }
    try retryingInterrupts("rmdir", path) { try fileSystem.removeDirectory(path) }
  }

  private static func withoutInterrupts(_ call: () throws -> Void) throws {
    while true {
      do { return try call() } catch let failure as SystemFailure where failure.errno == EINTR {}
    }
  }
}

/// Makes a directory in one that is there.
///
/// - Throws: `FormatError` with code `outputUnavailable` or `ioError`.
public func createDirectory(
  _ path: String, fileSystem: any FileSystem = POSIXFileSystem()
) throws {
  try creating("mkdir", path) { try fileSystem.makeDirectory(path, permissions: 0o755) }
}

/// The names in a directory, sorted by their bytes.
///
/// - Throws: `FormatError` with code `ioError`.
public func entries(
  of directory: String, fileSystem: any FileSystem = POSIXFileSystem()
) throws -> [String] {
  try retryingInterrupts("readdir", directory) { try fileSystem.entries(of: directory) }
}

/// Makes the name of a file or directory durable.
///
/// - Throws: `FormatError` with code `ioError`.
public func synchronizeDirectory(
  around path: String, fileSystem: any FileSystem = POSIXFileSystem()
) throws {
  do {
    try fileSystem.synchronizeDirectory(parentDirectory(of: path))
  } catch let failure as SystemFailure {
    throw FormatError.io("fsync of the directory", path, failure)
  }
}

/// Removes a file.
///
/// - Throws: `FormatError` with code `ioError`.
public func removeFile(_ path: String, fileSystem: any FileSystem = POSIXFileSystem()) throws {
  try retryingInterrupts("remove", path) { try fileSystem.remove(path) }
}
