#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// What lies in a folder, one level deep, without what is hidden; links count as what they lead to.
public struct FolderListing: Sendable, Equatable {
  /// Names in the order of their bytes.
  public var files: [String] = []
  public var folders: [String] = []

  /// - Throws: `FormatError` with code `notFound`, `notReadable`, `entryLimit` or `ioError`.
  public init(_ path: String) throws {
    guard let handle = opendir(path) else {
      let failure = SystemFailure(errno: errno)
      switch failure.errno {
      case ENOENT, ENOTDIR: throw FormatError(.notFound, file: path)
      case EACCES: throw FormatError(.notReadable, file: path, found: failure.text)
      default: throw FormatError.io("open", path, failure)
      }
    }
    defer { closedir(handle) }
    while let entry = readdir(handle) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
      }
      guard !name.hasPrefix(".") else { continue }
      guard files.count + folders.count < Budgets.folderEntries else {
        throw FormatError(
          .entryLimit, file: path, expected: "at most \(Budgets.folderEntries) entries")
      }
      guard let status = try? POSIXFileSystem().status(path: path + "/" + name) else { continue }
      if status.isDirectory { folders.append(name) } else { files.append(name) }
    }
    files.sort { TensorName($0) < TensorName($1) }
    folders.sort { TensorName($0) < TensorName($1) }
  }

  /// Whether a path leads to a folder.
  public static func isFolder(_ path: String) -> Bool {
    (try? POSIXFileSystem().status(path: path))?.isDirectory ?? false
  }

  /// Creates a folder unless it is there.
  ///
  /// - Throws: `FormatError` with code `outputUnavailable`.
  public static func create(_ path: String) throws {
    guard mkdir(path, 0o755) != 0, errno != EEXIST || !isFolder(path) else { return }
    throw FormatError(.outputUnavailable, file: path, found: SystemFailure(errno: errno).text)
  }
}
