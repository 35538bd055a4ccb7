import Datasets
import Formats

/// What is to be segmented: one scan, or all of a folder.
public struct PredictionSource: Sendable {
  public struct Item: Sendable, Equatable {
    public var name: String
    public var data: SourceData
  }

  public let items: [Item]
  /// Whether a single scan was named.
  public let isSingle: Bool

  /// - Parameter path: of a volume, of a PNG file, of a folder of frames, or of a folder of cases.
  /// - Throws: `FormatError`, or `DatasetError` with code `noCases` or `badDataset`.
  public init(_ path: String) throws {
    guard FolderListing.isFolder(path) else {
      let name = SourceName(lastComponent(of: path))
      let data: SourceData
      switch name?.kind {
      case .array: data = .array(path, name: "image")
      case .picture: data = .frames(path, [path])
      case .volume, .stack, nil: data = .volume(path)
      }
      items = [Item(name: SourceLayout.stem(lastComponent(of: path)), data: data)]
      isSingle = true
      return
    }
    let folder = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    if let frames = try SourceLayout.frames(in: folder) {
      items = [Item(name: lastComponent(of: folder), data: frames)]
      isSingle = true
      return
    }
    items = try SourceLayout(folder).cases.map { Item(name: $0.name, data: $0.image) }
    isSingle = false
    try Self.checkNames(items, path)
  }

  private static func checkNames(_ items: [Item], _ path: String) throws {
    var seen: Set<TensorName> = []
    for item in items where !seen.insert(TensorName(item.name)).inserted {
      throw DatasetError(
        .badDataset, file: path, subject: item.name, expected: "cases of different names")
    }
  }
}
