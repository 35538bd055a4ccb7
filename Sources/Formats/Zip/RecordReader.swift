import CKernels
import Support

/// Reads a whole record from front to back, inflates it, and compares its size and checksum at the
/// end.
final class RecordReader: TensorReader {
  private let zip: ZipArchive
  private let entry: ZipEntry
  private let inflater: InflateStream?
  private var done = 0
  private var crc: UInt32 = 0
  private var isFinished = false

  var isStreaming: Bool { inflater == nil }

  /// - Throws: `FormatError` with code `inflateSizeMismatch` for a size that cannot be true.
  init(_ zip: ZipArchive, _ entry: ZipEntry) throws {
    self.zip = zip
    self.entry = entry
    inflater = entry.method == .deflated ? InflateStream(zip.file, entry.dataRange) : nil
    if inflater != nil { try entry.checkRatio() }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try naming(file: zip.file.path) { try naming(entry.name) { try readNamed(buffer) } }
  }

  private func readNamed(_ buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let part = buffer.first(min(buffer.count, entry.uncompressedSize - done))
    if let inflater {
      let count = try inflater.read(into: part)
      guard count == part.count else {
        throw FormatError(
          .inflateSizeMismatch, expected: "\(entry.uncompressedSize) bytes",
          found: "\(done + count)")
      }
    } else {
      try zip.file.read(into: part, at: entry.dataOffset + done)
    }
    done += part.count
    if zip.checksCRC { crc = wt_crc32(crc, part.baseAddress, part.count) }
    if done == entry.uncompressedSize, !isFinished { try finish() }
    return part.count
  }

  private func finish() throws {
    isFinished = true
    try inflater?.finish(after: done)
    try zip.check(entry, crc)
  }
}

extension ZipEntry {
  /// Deflate cannot expand beyond a ratio, so a larger claim need not be allocated to be refused.
  ///
  /// - Throws: `FormatError` with code `inflateSizeMismatch`.
  func checkRatio() throws {
    let most = compressedSize.multipliedReportingOverflow(by: Budgets.deflateRatio)
    guard most.overflow || uncompressedSize - Budgets.deflateRatio <= most.partialValue else {
      throw FormatError(
        .inflateSizeMismatch, subject: name,
        expected: "at most \(most.partialValue) bytes from \(compressedSize)",
        found: "\(uncompressedSize)")
    }
  }
}
