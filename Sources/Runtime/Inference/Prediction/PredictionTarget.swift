import Datasets
import Formats

/// Where a case's labels are written.
public enum PredictionTarget: Sendable, Equatable {
  /// A NIfTI file.
  case volume(String)
  /// A folder, and the names of the label maps in it.
  case frames(String, [String])

  /// - Parameters:
  ///   - output: what the user named.
  ///   - isSingle: whether it is the output of one scan alone.
  public init(_ item: PredictionSource.Item, output: String, isSingle: Bool) {
    let folder = isSingle ? output : output + "/" + item.name
    if case .frames(_, let files) = item.data {
      self = .frames(folder, files.map { SourceLayout.stem(lastComponent(of: $0)) + ".png" })
      return
    }
    let isFile = output.hasSuffix(".nii") || output.hasSuffix(".nii.gz")
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
    for suffix in [".nii.gz", ".nii"] where path.hasSuffix(suffix) {
      return path.dropLast(suffix.count) + "." + ending
    }
    return path + "." + ending
  }

  /// Whether every file is there.
  public var isComplete: Bool { files.allSatisfy { (try? InputFile($0)) != nil } }

  /// Creates the folders that the files go to.
  ///
  /// - Throws: `FormatError` with code `outputUnavailable`.
  public func createFolders() throws {
    guard case .frames(let folder, _) = self else {
      return try Self.create(parentFolder(of: path))
    }
    try Self.create(folder)
  }

  private static func create(_ folder: String) throws {
    guard !FolderListing.isFolder(folder) else { return }
    try create(parentFolder(of: folder))
    try FolderListing.create(folder)
  }
}
