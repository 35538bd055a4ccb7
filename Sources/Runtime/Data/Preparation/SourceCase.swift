import Formats
import Support

/// Where a case's images and labels lie.
public struct SourceCase: Sendable, Equatable {
  /// The folders that lead to it, and its own name.
  public var path: [String]
  public var image: SourceData
  /// Nil when there is none.
  public var labels: SourceData?

  public var name: String { path.joined(separator: "_") }
}

/// A volume's or a video's place.
public enum SourceData: Sendable, Equatable {
  /// A NIfTI file.
  case volume(String)
  /// A folder and its PNG files in order.
  case frames(String, [String])
  /// A folder and its pickled stacks of slices in order, as MA-SAM's preprocessing writes them.
  case stacks(String, [String])
  /// A numpy or HDF5 file, and the array in it.
  case array(String, name: String)

  public var path: String {
    switch self {
    case .volume(let path), .frames(let path, _), .stacks(let path, _), .array(let path, _): path
    }
  }

  /// All files that it is read from.
  public var files: [String] {
    switch self {
    case .volume(let path): NIfTIFile.paths(of: path)
    case .frames(_, let files), .stacks(_, let files): files
    case .array(let path, _): [path]
    }
  }

  /// - Throws: `FormatError` or `DatasetError`.
  public func scan() throws -> any Scan {
    switch self {
    case .volume(let path): try VolumeScan(Volume(plane: path))
    case .frames(let path, let files): try FrameScan(path, files: files)
    case .stacks(let path, let files): try StackScan(StackFolder(path, files: files))
    case .array(let path, let name): try VolumeScan(Volume(array: name, of: path))
    }
  }

  /// - Throws: `FormatError` or `DatasetError`.
  public func labels() throws -> any LabelScan {
    switch self {
    case .volume(let path): try VolumeLabels(Volume(plane: path))
    case .frames(let path, let files): try FrameLabels(path, files: files)
    case .stacks(let path, let files): try StackLabels(StackFolder(path, files: files))
    case .array(let path, let name): try VolumeLabels(Volume(array: name, of: path))
    }
  }

  /// The extents, x first; of a NIfTI file without a look at its voxels.
  ///
  /// - Throws: `FormatError` or `DatasetError`.
  public func shape() throws -> [Int] {
    if case .volume(let path) = self { return try NIfTIFile(path).shape }
    let scan = try scan()
    return [scan.width, scan.height, scan.slices]
  }

  /// The file's digest; of several files, that of their digests in order.
  func source() throws -> DatasetSource {
    let name = lastComponent(of: path)
    let files: [String]
    switch self {
    case .frames(_, let list), .stacks(_, let list): files = list
    case .volume, .array:
      return DatasetSource(name: name, digest: try InputFile(path).contentHash())
    }
    var hash = ContentHash()
    for file in files { hash.update(try InputFile(file).contentHash()) }
    return DatasetSource(name: name, digest: hash.hexDigest())
  }
}
