import Formats

/// The frames of a video, each a PNG file, as a scan.
public struct FrameScan: Scan {
  public let path: String
  /// In order.
  public let files: [String]
  public let width: Int
  public let height: Int
  public let channels = 3
  public let affine = Affine.identity
  public let spacing = [1.0, 1, 1]

  public var slices: Int { files.count }

  /// Looks at all headers.
  ///
  /// - Throws: `DatasetError` with code `faultySource` when the sizes differ, or `FormatError`.
  public init(_ path: String, files: [String]) throws {
    self.path = path
    self.files = files
    (width, height) = try commonSize(files, path)
  }

  public func plane(_ slice: Int) throws -> [Float] {
    let image = try PNGFile.read(files[slice])
    guard image.width == width, image.height == height else {
      throw FormatError(.fileChanged, file: files[slice])
    }
    return image.colours()
  }
}

/// The label maps of a video's frames: indices, grey values or colours.
public struct FrameLabels: LabelScan {
  public let path: String
  public let files: [String]
  public let width: Int
  public let height: Int
  public let affine = Affine.identity

  public var slices: Int { files.count }

  public init(_ path: String, files: [String]) throws {
    self.path = path
    self.files = files
    (width, height) = try commonSize(files, path)
  }

  public func plane(_ slice: Int) throws -> [Int] {
    let image = try PNGFile.read(files[slice])
    guard image.width == width, image.height == height else {
      throw FormatError(.fileChanged, file: files[slice])
    }
    return (0..<width * height).map { pixel in
      guard image.channels >= 3 else { return image.sample(pixel, 0) }
      let shift = image.bitDepth - 8
      return LabelMap.label(
        of: RGBColour(
          UInt8(image.sample(pixel, 0) >> shift), UInt8(image.sample(pixel, 1) >> shift),
          UInt8(image.sample(pixel, 2) >> shift)))
    }
  }
}

private func commonSize(_ files: [String], _ path: String) throws -> (width: Int, height: Int) {
  guard let first = files.first else {
    throw DatasetError(.noCases, file: path, expected: "PNG files")
  }
  let size = try PNGFile.header(of: first)
  try PlaneLimit.check(width: size.width, height: size.height, first)
  for file in files.dropFirst() {
    let other = try PNGFile.header(of: file)
    guard other.width == size.width, other.height == size.height else {
      throw DatasetError(
        .faultySource, file: file, expected: "\(size.width) × \(size.height) as the first frame",
        found: "\(other.width) × \(other.height)")
    }
  }
  return (size.width, size.height)
}
