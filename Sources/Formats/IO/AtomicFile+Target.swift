#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension AtomicFile {
  /// Refuses a target that may not be replaced; also asked before any work is done.
  ///
  /// - Throws: `FormatError` with code `outputExists` or `outputUnavailable`.
  public static func checkTarget(
    _ target: String, overwrite: Bool, _ fileSystem: any FileSystem = POSIXFileSystem()
  ) throws {
    // A link that leads nowhere is somebody's name all the same.
    guard overwrite || !fileSystem.isLink(target) else {
      throw FormatError(.outputExists, file: target)
    }
    guard let status = try status(target, fileSystem) else { return }
    guard overwrite else { throw FormatError(.outputExists, file: target) }
    guard status.isRegular else {
      throw FormatError(
        .outputUnavailable, file: target, expected: "a regular file to replace",
        found: status.isDirectory ? "a directory" : "a device, pipe or socket")
    }
  }

  /// What is at a target, if there is something.
  private static func status(
    _ target: String, _ fileSystem: any FileSystem
  ) throws -> FileStatus? {
    do {
      return try fileSystem.status(path: target)
    } catch let failure as SystemFailure where failure.errno == ENAMETOOLONG {
      throw FormatError(
        .outputUnavailable, file: target, expected: "a path that the file system takes",
        found: "a name in it, or all of it, too long", remedy: "choose a shorter name")
    } catch {
      return nil
    }
  }

  /// Refuses a target whose folder is missing, before any work is done.
  ///
  /// - Throws: `FormatError` with code `outputUnavailable`.
  public static func checkFolder(
    of target: String, _ fileSystem: any FileSystem = POSIXFileSystem()
  ) throws {
    let directory = parentDirectory(of: target)
    do {
      guard try !fileSystem.status(path: directory).isDirectory else { return }
      throw FormatError(
        .outputUnavailable, file: target, found: "'\(directory)' is not a folder")
    } catch let failure as SystemFailure where [ENOENT, ENOTDIR].contains(failure.errno) {
      throw FormatError(
        .outputUnavailable, file: target, found: "there is no folder '\(directory)'",
        remedy: "make the folder first")
    } catch is SystemFailure {
      // Whatever else is wrong shows when the file is created.
    }
  }
}
