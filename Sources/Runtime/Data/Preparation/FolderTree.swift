import Formats

/// Folders that were looked into, so that each counts once, whatever links lead back to it.
struct FolderVisits {
  private var seen: Set<FileIdentity> = []

  /// Takes a folder down; one that is not there is new, as whoever opens it will say so.
  mutating func isNew(_ path: String) -> Bool {
    FileIdentity(path).map { seen.insert($0).inserted } ?? true
  }
}

/// All files below a folder, however deep.
public struct FolderTree: Sendable {
  /// A file, and the folders below the root that lead to it.
  public struct File: Sendable, Equatable {
    public var folders: [String]
    public var name: String
    public var path: String
  }

  public private(set) var files: [File] = []
  /// What lies there and cannot be told: dangling links and names that are no text.
  public private(set) var unreadable: [UnreadableEntry] = []

  /// - Throws: `FormatError`.
  public init(_ root: String) throws {
    var visits = FolderVisits()
    var waiting = [(path: root, names: [String]())]
    while let folder = waiting.popLast() {
      guard visits.isNew(folder.path) else { continue }
      let listing = try FolderListing(folder.path)
      unreadable += listing.unreadable
      files += listing.files.map {
        File(folders: folder.names, name: $0, path: folder.path + "/" + $0)
      }
      waiting += listing.folders.reversed().map { (folder.path + "/" + $0, folder.names + [$0]) }
    }
  }
}
