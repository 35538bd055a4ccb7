import Formats
import Support

/// Writes a file of training data.
public struct DatasetWriter: Sendable {
  /// Gives one slice of a case, as it is to be stored: images [C, H, W], labels [H, W].
  public struct Slices: Sendable {
    public var image: @Sendable (_ slice: Int) throws -> [Float]
    public var labels: @Sendable (_ slice: Int) throws -> [UInt8]

    public init(
      image: @escaping @Sendable (_ slice: Int) throws -> [Float],
      labels: @escaping @Sendable (_ slice: Int) throws -> [UInt8]
    ) {
      self.image = image
      self.labels = labels
    }
  }

  private let description: DatasetDescription
  private let toolVersion: String
  private let progress: ProgressHandler

  /// zstd's own default.
  private static let level = 3

  public init(
    _ description: DatasetDescription, toolVersion: String,
    progress: @escaping ProgressHandler = { _ in }
  ) {
    self.description = description
    self.toolVersion = toolVersion
    self.progress = progress
  }

  /// Writes all cases, reads the file back, and lets it appear when every byte is as it should be.
  ///
  /// - Parameter source: opens a case by its place; asked for images and labels separately, from
  ///   any thread, and each slice is then taken once, in order.
  /// - Throws: `DatasetError` with code `badDataset`, `FormatError`, or what a source throws; the
  ///   target is then what it was before.
  public func write(
    to target: String, overwrite: Bool, from source: @escaping @Sendable (Int) throws -> Slices
  ) throws {
    try DatasetNames.check(description.cases.map(\.name), file: target)
    let cases = description.cases
    let tensors = try cases.flatMap { item in
      [
        try TensorInfo(
          name: DatasetNames.images(item.name), dtype: .float32,
          shape: [item.slices, item.channels, item.height, item.width]),
        try TensorInfo(
          name: DatasetNames.labels(item.name), dtype: .uint8,
          shape: [item.slices, item.height, item.width]),
      ]
    }
    let format = OutputFormat(
      .hdf5, chunkCompression: .zstd(level: Self.level), chunksFirstAxis: true)
    let writer = CheckpointWriter(
      tensors, metadata: DatasetMetadata.entries(description, version: toolVersion),
      format: format, progress: progress,
      from: { index in
        let (slices, count) = (try source(index / 2), cases[index / 2].slices)
        return index.isMultiple(of: 2)
          ? SliceReader(count) { try bytes(of: slices.image($0)) }
          : SliceReader(count, slices.labels)
      })
    _ = try writer.write(to: target, overwrite: overwrite)
  }
}

/// The bytes of floats, little-endian.
func bytes(of floats: [Float]) -> [UInt8] {
  [UInt8](unsafeUninitializedCapacity: 4 * floats.count) { target, initialized in
    let target = UnsafeMutableRawBufferPointer(target)
    for (place, float) in floats.enumerated() {
      target.storeBytes(
        of: float.bitPattern.littleEndian, toByteOffset: 4 * place, as: UInt32.self)
    }
    initialized = 4 * floats.count
  }
}

/// Hands out a tensor that is calculated a slice at a time.
final class SliceReader: TensorReader {
  private let count: Int
  private let slice: (Int) throws -> [UInt8]
  private var next = 0
  private var bytes: ArraySlice<UInt8> = []

  let isCalculated = true

  /// - Parameters:
  ///   - count: slices in all.
  ///   - slice: the bytes of one; called once for each, in order.
  init(_ count: Int, _ slice: @escaping (Int) throws -> [UInt8]) {
    self.count = count
    self.slice = slice
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var done = 0
    while done < buffer.count {
      if bytes.isEmpty {
        guard next < count else { break }
        bytes = try slice(next)[...]
        next += 1
        guard !bytes.isEmpty else { break }
      }
      let part = bytes.prefix(buffer.count - done)
      UnsafeMutableRawBufferPointer(rebasing: buffer[done...]).copyBytes(from: part)
      bytes = bytes.dropFirst(part.count)
      done += part.count
    }
    return done
  }
}
