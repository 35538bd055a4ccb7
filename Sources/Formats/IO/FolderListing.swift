#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Something in a folder that cannot be told: a link that leads nowhere, or a name that is no text.
public struct UnreadableEntry: Sendable, Equatable {
  public var path: String
  public var reason: String

  /// The error for whoever cannot go on without it.
  public var error: FormatError {
    FormatError(
      .notReadable, file: path, found: reason, remedy: "mend, rename or remove it")
  }
}

/// What lies in a folder, one level deep, without what is hidden; links count as what they lead to.
public struct FolderListing: Sendable, Equatable {
  /// Names in the order of their bytes.
  public var files: [String] = []
  public var folders: [String] = []
  /// What is neither, as far as anyone can tell.
  public var unreadable: [UnreadableEntry] = []

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
      let (name, isText) = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) {
          (String(cString: $0), String(validatingCString: $0) != nil)
        }
      }
      guard !name.hasPrefix(".") else { continue }
      guard files.count + folders.count + unreadable.count < Budgets.folderEntries else {
        throw FormatError(
          .entryLimit, file: path, expected: "at most \(Budgets.folderEntries) entries")
      }
      add(name, isText: isText, of: path)
    }
    files.sort { TensorName($0) < TensorName($1) }
    folders.sort { TensorName($0) < TensorName($1) }
    unreadable.sort { TensorName($0.path) < TensorName($1.path) }
  }

  private mutating func add(_ name: String, isText: Bool, of folder: String) {
    let path = folder + "/" + name
    guard isText else {
      return unreadable.append(UnreadableEntry(path: path, reason: "its name is not UTF-8"))
    }
    do {
      let status = try POSIXFileSystem().status(path: path)
      if status.isDirectory { folders.append(name) } else { files.append(name) }
    } catch {
      let reason = (error as? SystemFailure)?.text ?? "\(error)"
      unreadable.append(UnreadableEntry(path: path, reason: reason))
    }
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
