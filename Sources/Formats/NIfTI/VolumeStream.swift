/// A file's content from front to back, unpacked on the way if it is gzip.
final class VolumeStream {
  private let file: InputFile
  private let decompressor: Decompressor?
  private var position = 0

  /// Bytes that may follow the voxels unread, as other readers allow.
  private static let surplusBytes = 1 << 20

  /// - Throws: `FormatError` with code `truncated` for an empty file.
  init(_ file: InputFile) throws {
    self.file = file
    guard file.size > 0 else {
      throw FormatError(.truncated, offset: 0, expected: "a volume", found: "an empty file")
    }
    let isPacked = try file.bytes(0..<min(2, file.size)) == [0x1F, 0x8B]
    decompressor = isPacked ? try Decompressor(file, .gzip) : nil
  }

  /// Checks that so many bytes can lie in the file before room is made for them.
  ///
  /// - Throws: `FormatError` with code `truncated`, `overflow` or `expansionLimit`.
  func checkRoom(for count: Int, after offset: Int) throws {
    let (end, overflow) = count.addingReportingOverflow(offset)
    guard !overflow else {
      throw FormatError(.overflow, expected: "a size that fits 63 bits", found: "\(count) bytes")
    }
    let (unpacked, isBeyond) = file.size.multipliedReportingOverflow(by: Budgets.deflateRatio)
    let most = decompressor == nil ? file.size : isBeyond ? .max : unpacked
    guard end <= most else {
      throw FormatError(
        .truncated, offset: min(offset, file.size), expected: "\(count) bytes of voxels",
        found: decompressor == nil
          ? "\(max(0, file.size - offset))" : "a file of \(file.size) bytes, which cannot hold them"
      )
    }
    guard count <= Budgets.materialisedBytes else {
      throw FormatError(
        .expansionLimit, expected: "at most \(Budgets.materialisedBytes) bytes of voxels",
        found: "\(count)")
    }
  }

  /// Exactly so many bytes.
  ///
  /// - Throws: `FormatError` with code `truncated`.
  func bytes(_ count: Int) throws -> [UInt8] {
    let start = position
    let bytes = try bytes(upTo: count)
    guard bytes.count == count else {
      throw FormatError(
        .truncated, offset: start, expected: "\(count) bytes", found: "\(bytes.count)")
    }
    return bytes
  }

  /// So many bytes, or those that are left.
  func bytes(upTo count: Int) throws -> [UInt8] {
    let count = decompressor == nil ? min(count, file.size - position) : count
    return try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      initialized = try read(into: UnsafeMutableRawBufferPointer(buffer))
    }
  }

  func skip(_ count: Int) throws {
    try withChunk(of: chunkBytes) { buffer in
      var rest = count
      while rest > 0 {
        let found = try read(into: buffer.first(min(rest, buffer.count)))
        guard found > 0 else {
          throw FormatError(
            .truncated, offset: position, expected: "\(rest) more bytes", found: "none")
        }
        rest -= found
      }
    }
  }

  /// Reads a compressed file to its end, where its checksum is.
  ///
  /// - Throws: `FormatError` with code `trailingBytes` when there is much more than was asked for,
  ///   so that no file unpacks without end.
  func finish() throws {
    guard decompressor != nil else { return }
    let end = position
    try withChunk(of: 1 << 16) { buffer in
      while try read(into: buffer) > 0 {
        guard position - end <= Self.surplusBytes else {
          throw FormatError(
            .trailingBytes, offset: end, expected: "the end of the volume",
            found: "more than \(Self.surplusBytes) bytes")
        }
      }
    }
  }

  private func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count: Int
    if let decompressor {
      count = try decompressor.read(into: buffer)
    } else {
      count = min(buffer.count, file.size - position)
      try file.read(into: buffer.first(count), at: position)
    }
    position += count
    return count
  }
}
