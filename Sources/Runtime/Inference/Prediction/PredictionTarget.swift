import Datasets
import Formats

/// Where a case's labels are written.
public enum PredictionTarget: Sendable, Equatable {
  /// A NIfTI file.
  case volume(String)
  /// A folder, and the names of the label maps in it.
  case frames(String, [String])

  private static let endings = [".nii.gz", ".nii"]

  /// - Parameters:
  ///   - output: what the user named.
  ///   - isSingle: whether it is the output of one scan alone.
  public init(_ item: PredictionSource.Item, output: String, isSingle: Bool) {
    let folder = isSingle ? output : output + "/" + item.name
    if case .frames(_, let files) = item.data {
      self = .frames(folder, files.map { SourceLayout.stem(lastComponent(of: $0)) + ".png" })
      return
    }
    let isFile = Self.endings.contains { output.lowercased().hasSuffix($0) }
    self = .volume(isSingle && isFile ? output : output + "/" + item.name + ".nii.gz")
  }

  public var path: String {
    switch self {
    case .volume(let path), .frames(let path, _): path
    }
  }

  public var files: [String] {
    switch self {
    case .volume(let path): [path]
    case .frames(let folder, let names): names.map { folder + "/" + $0 }
    }
  }

  /// A file beside the labels, such as `NAME.probabilities.h5`.
  public func companion(_ ending: String) -> String {
    for suffix in Self.endings where path.lowercased().hasSuffix(suffix) {
      return path.dropLast(suffix.count) + "." + ending
    }
    return path + "." + ending
  }

  /// Those of the files that hold labels of a scan already, as an earlier run leaves them.
  public func finished(for data: SourceData) -> Set<String> {
    guard let shape = try? data.shape() else { return [] }
    return Set(files.filter { holdsLabels($0, of: shape) })
  }

  private func holdsLabels(_ file: String, of shape: [Int]) -> Bool {
    switch self {
    case .volume:
      guard let header = try? NIfTIFile(file), header.shape == shape else { return false }
      return (try? SourceData.volume(file).labels()) != nil
    case .frames:
      guard let header = try? PNGFile.header(of: file),
        [header.width, header.height] == Array(shape.prefix(2))
      else { return false }
      return (try? PNGFile.read(file))?.channels == 1
    }
  }

  /// Creates the folders that the files go to.
  ///
  /// - Throws: `FormatError` with code `outputUnavailable`.
  public func createFolders() throws {
    guard case .frames(let folder, _) = self else {
      return try Self.create(parentDirectory(of: path))
    }
    try Self.create(folder)
  }

  private static func create(_ folder: String) throws {
    guard !FolderListing.isFolder(folder) else { return }
    try create(parentDirectory(of: folder))
    try FolderListing.create(folder)
  }
}
