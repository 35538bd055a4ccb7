import Datasets
import Formats
import Support

/// What is to be segmented: one scan, or all of a folder.
public struct PredictionSource: Sendable {
  /// One scan and what it is called.
  public struct Item: Sendable, Equatable {
    /// The folders that lead to it, and its own name.
    public var path: [String]
    public var data: SourceData

    public var name: String { path.joined(separator: "_") }
  }

  public let items: [Item]
  /// Whether a single scan was named.
  public let isSingle: Bool
  /// What a user should know of what is segmented and what is not.
  public private(set) var notes: [String] = []

  /// - Parameter path: of a volume, of a PNG file, of a folder of frames, or of a folder of cases.
  /// - Throws: `FormatError`, or `DatasetError` with code `noCases` or `badDataset`.
  public init(_ path: String) throws {
    guard FolderListing.isFolder(path) else {
      items = [Self.file(path)]
      isSingle = true
      return
    }
    let folder = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    if let (frames, notes) = try Self.video(folder) {
      items = [Item(path: [lastComponent(of: folder)], data: frames)]
      isSingle = true
      self.notes = notes
      return
    }
    let layout = try SourceLayout(folder)
    if let entry = layout.unreadable.first { throw entry.error }
    items = (layout.cases + layout.unlabelled + layout.strays).map {
      Item(path: $0.path, data: $0.image)
    }
    isSingle = false
    notes = Self.notes(layout)
    try Self.checkNames(items, path)
  }

  private static func file(_ path: String) -> Item {
    let file = lastComponent(of: path)
    let data: SourceData
    switch SourceName(file)?.kind {
    case .array: data = .array(path, name: "image")
    case .picture: data = .frames(path, [path])
    case .volume, .stack, nil: data = .volume(path)
    }
    return Item(path: [SourceLayout.name(of: file)], data: data)
  }

  /// A folder of frames, unless there are volumes in it or below.
  private static func video(_ folder: String) throws -> (SourceData, notes: [String])? {
    guard let frames = try SourceLayout.frames(in: folder) else { return nil }
    let listing = try FolderListing(folder)
    if let entry = listing.unreadable.first { throw entry.error }
    guard !listing.folders.isEmpty else { return (frames, []) }
    let layout = try SourceLayout(ofAny: folder)
    let below = layout.cases + layout.unlabelled + layout.strays
    let hasVolumes = below.contains {
      switch $0.image {
      case .volume, .array: true
      case .frames, .stacks: false
      }
    }
    return hasVolumes
      ? nil : (frames, ["only the frames of the folder itself are segmented, not what lies below"])
  }

  private static func notes(_ layout: SourceLayout) -> [String] {
    var notes = layout.strays.map {
      "'\($0.image.path.escapedForDisplay)' is segmented as a scan, though its name says labels"
    }
    let labels = layout.cases.compactMap { $0.labels?.path }.filter { path in
      !layout.cases.contains { $0.image.path == path }
    }
    let beside = labels + layout.orphans
    if let first = beside.first {
      notes.append(
        "\(beside.count) file(s) or folder(s) are taken for labels and left out, such as "
          + "'\(first.escapedForDisplay)'")
    }
    return notes + [layout.leftOutNote].compactMap { $0 }
  }

  private static func checkNames(_ items: [Item], _ path: String) throws {
    var seen: Set<TensorName> = []
    for item in items where !seen.insert(TensorName(item.name)).inserted {
      throw DatasetError(
        .badDataset, file: path, subject: item.name, expected: "cases of different names")
    }
  }
}
