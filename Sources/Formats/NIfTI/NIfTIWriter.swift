/// Writes volumes in the geometry of another.
extension NIfTITemplate {
  /// Writes a file of numbers in the source's geometry; the name's ending `.gz` compresses it.
  ///
  /// Of the header, type, scaling and display range change, the extents beyond the third, and what
  /// a pair needs to be one file; all else, and the extensions, are the source's bytes.
  ///
  /// - Parameters:
  ///   - shape: x first; its first three extents are the source's.
  ///   - voxels: gives the numbers, little-endian, x fastest.
  /// - Throws: `FormatError`; the target is then what it was before.
  public func write(
    _ type: NIfTIDatatype, shape: [Int], to target: String, overwrite: Bool,
    fileSystem: any FileSystem = POSIXFileSystem(), from voxels: any TensorReader
  ) throws {
    let count = try TensorInfo(name: "voxels", dtype: type.dtype, shape: shape + [type.channels])
      .byteCount
    let header = header(type, shape: shape)
    let isPacked = target.lowercased().hasSuffix(".gz")
    let size = isPacked ? 0 : header.bytes.count + body.count + count
    let output = try AtomicFile(
      target: target, size: size, overwrite: overwrite, fileSystem: fileSystem)
    let sink = VolumeSink(output, isPacked: isPacked)
    try sink.write(header.bytes + body)
    let swap = ElementTransform(type.dtype, swapsBytes: header.isBigEndian)
    try sink.write(voxels.applying(swap), count: count)
    try sink.finish()
    try output.commit()
  }

  /// Writes a label map in the source's geometry.
  ///
  /// - Parameters:
  ///   - shape: the source's first three extents.
  ///   - labels: as many, x fastest.
  public func write(
    labels: [UInt8], shape: [Int], to target: String, overwrite: Bool,
    fileSystem: any FileSystem = POSIXFileSystem()
  ) throws {
    precondition(labels.count == shape.reduce(1, *), "a label for every voxel")
    try write(
      .uint8, shape: shape, to: target, overwrite: overwrite, fileSystem: fileSystem,
      from: BytesReader(labels[...]))
  }

  /// Writes an image of 32-bit floats in the source's geometry.
  ///
  /// - Parameters:
  ///   - shape: the source's first three extents.
  ///   - numbers: as many, x fastest.
  public func write(
    numbers: [Float], shape: [Int], to target: String, overwrite: Bool,
    fileSystem: any FileSystem = POSIXFileSystem()
  ) throws {
    precondition(numbers.count == shape.reduce(1, *), "a number for every voxel")
    let bytes = numbers.flatMap { number in
      withUnsafeBytes(of: number.bitPattern.littleEndian, Array.init)
    }
    try write(
      .float32, shape: shape, to: target, overwrite: overwrite, fileSystem: fileSystem,
      from: BytesReader(bytes[...]))
  }
}

/// Where a volume's bytes go, front to back, compressed or not.
private final class VolumeSink {
  private let output: AtomicFile
  private let encoder: GzipEncoder?
  private var position = 0

  init(_ output: AtomicFile, isPacked: Bool) {
    self.output = output
    encoder = isPacked ? GzipEncoder() : nil
  }

  func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try write($0, isLast: false) }
  }

  /// Moves all that a reader gives, which must be as much as is said.
  ///
  /// - Throws: `FormatError` with code `sizeMismatch`.
  func write(_ reader: any TensorReader, count: Int) throws {
    var done = 0
    try withChunk(of: chunkBytes) { buffer in
      while case let found = try reader.read(into: buffer), found > 0 {
        done += found
        try write(UnsafeRawBufferPointer(buffer.first(found)), isLast: false)
      }
    }
    guard done == count else {
      throw FormatError(.sizeMismatch, expected: "\(count) bytes of voxels", found: "\(done)")
    }
  }

  func finish() throws {
    if encoder != nil { try write(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true) }
  }

  private func write(_ bytes: UnsafeRawBufferPointer, isLast: Bool) throws {
    guard let encoder else { return try append(bytes) }
    try withChunk(of: 1 << 16) { buffer in
      try encoder.encode(bytes, isLast: isLast, through: buffer) { try append($0) }
    }
  }

  private func append(_ bytes: UnsafeRawBufferPointer) throws {
    try output.write(bytes, at: position)
    position += bytes.count
  }
}
