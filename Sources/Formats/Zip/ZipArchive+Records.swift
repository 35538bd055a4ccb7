import CKernels
import Support

extension ZipArchive {
  /// A whole record in memory, checked against its checksum.
  ///
  /// - Parameter limit: the most bytes the record may have, as a budget.
  /// - Throws: `FormatError` with code `sizeLimit`, `crcMismatch`, `inflateSizeMismatch` or
  ///   `inflateCorrupt`.
  func contents(of entry: ZipEntry, limit: Int) throws -> [UInt8] {
    guard entry.uncompressedSize <= limit else {
      throw FormatError(
        .sizeLimit, subject: entry.name, expected: "at most \(limit) bytes",
        found: "\(entry.uncompressedSize)")
    }
    let bytes =
      switch entry.method {
      case .stored: try file.bytes(entry.dataRange)
      case .deflated: try inflated(entry)
      }
    try check(entry, bytes.withUnsafeBytes { wt_crc32(0, $0.baseAddress, $0.count) })
    return bytes
  }

  /// Compares a finished checksum with the directory's.
  ///
  /// - Throws: `FormatError` with code `crcMismatch`.
  func check(_ entry: ZipEntry, _ crc: UInt32) throws {
    guard !checksCRC || crc == entry.crc else {
      throw FormatError(
        .crcMismatch, offset: entry.dataOffset, subject: entry.name,
        expected: "CRC-32 \(String(entry.crc, radix: 16))", found: String(crc, radix: 16))
    }
  }

  /// Reads a stored record once for its checksum alone, a chunk at a time.
  func verifyStored(_ entry: ZipEntry) throws {
    guard checksCRC else { return }
    try withChunk(of: min(chunkBytes, entry.compressedSize)) { buffer in
      var crc: UInt32 = 0
      var done = 0
      while done < entry.compressedSize {
        let part = buffer.first(min(buffer.count, entry.compressedSize - done))
        try file.read(into: part, at: entry.dataOffset + done)
        crc = wt_crc32(crc, part.baseAddress, part.count)
        done += part.count
      }
      try check(entry, crc)
    }
  }

  private func inflated(_ entry: ZipEntry) throws -> [UInt8] {
    // Deflate cannot expand more than this, so a larger claim need not be allocated to be refused.
    let most = entry.compressedSize.multipliedReportingOverflow(by: Budgets.deflateRatio)
    guard most.overflow || entry.uncompressedSize <= most.partialValue + Budgets.deflateRatio else {
      throw FormatError(
        .inflateSizeMismatch, subject: entry.name,
        expected: "at most \(most.partialValue) bytes from \(entry.compressedSize)",
        found: "\(entry.uncompressedSize)")
    }
    return try naming(entry.name) {
      try inflate(file, entry.dataRange, size: entry.uncompressedSize)
    }
  }
}
