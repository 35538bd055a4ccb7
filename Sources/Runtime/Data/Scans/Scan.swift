import Formats

/// Something that is looked at slice by slice: a volume, or the frames of a video.
public protocol Scan: Sendable {
  /// The file or folder as the user named it.
  var path: String { get }
  var width: Int { get }
  var height: Int { get }
  var slices: Int { get }
  /// 1 for grey, 3 for colours.
  var channels: Int { get }
  var affine: Affine { get }
  /// Millimetres along x, y and z.
  var spacing: [Double] { get }

  /// One slice's intensities in their own units, of shape [channels, y, x].
  func plane(_ slice: Int) throws -> [Float]
}

/// Labels that are looked at slice by slice.
public protocol LabelScan: Sendable {
  var path: String { get }
  var width: Int { get }
  var height: Int { get }
  var slices: Int { get }
  var affine: Affine { get }

  /// One slice's labels as they are stored, of shape [y, x].
  func plane(_ slice: Int) throws -> [Int]
}

extension Scan {
  /// What a dataset keeps of the grid.
  var geometry: DatasetGeometry {
    DatasetGeometry(shape: [width, height, slices], spacing: spacing, affine: affine)
  }
}

/// A volume as a scan.
public struct VolumeScan: Scan {
  public let volume: Volume

  public var path: String { volume.path }
  public var width: Int { volume.shape[0] }
  public var height: Int { volume.shape[1] }
  public var slices: Int { volume.shape[2] }
  public var channels: Int { volume.channels }
  public var affine: Affine { volume.affine }
  public var spacing: [Double] { volume.spacing }

  /// - Throws: `DatasetError` with code `faultySource` for a series of volumes.
  public init(_ volume: Volume) throws {
    try checkShape(volume)
    self.volume = volume
  }

  public func plane(_ slice: Int) throws -> [Float] {
    let count = width * height * channels
    let numbers = volume.floats(slice * count..<(slice + 1) * count)
    guard channels > 1 else { return numbers }
    // Colours are stored side by side.
    return (0..<channels).flatMap { channel in
      stride(from: channel, to: count, by: channels).map { numbers[$0] / 255 }
    }
  }
}

/// A label map as a scan.
public struct VolumeLabels: LabelScan {
  public let path: String
  public let width: Int
  public let height: Int
  public let slices: Int
  public let affine: Affine
  private let labels: [UInt16]

  /// - Throws: `FormatError` with code `badLabel`, or `DatasetError` with code `faultySource`.
  public init(_ volume: Volume) throws {
    try checkShape(volume)
    path = volume.path
    (width, height, slices) = (volume.shape[0], volume.shape[1], volume.shape[2])
    affine = volume.affine
    labels = try volume.labels(as: UInt16.self)
    guard volume.channels == 1 else {
      throw DatasetError(
        .faultySource, file: volume.path, expected: "one number a voxel", found: "colours")
    }
  }

  public func plane(_ slice: Int) -> [Int] {
    let count = width * height
    return labels[slice * count..<(slice + 1) * count].map { Int($0) }
  }
}

private func checkShape(_ volume: Volume) throws {
  try PlaneLimit.check(width: volume.shape[0], height: volume.shape[1], volume.path)
  guard volume.shape.count == 3 else {
    throw DatasetError(
      .faultySource, file: volume.path, expected: "three dimensions", found: "\(volume.shape)",
      remedy: "choose one volume of the series first")
  }
}
