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
    return try RecordReader(self, entry).bytes(count: entry.uncompressedSize)
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
    let reader = try RecordReader(self, entry)
    try withChunk(of: min(chunkBytes, max(1, entry.compressedSize))) { buffer in
      while try reader.read(into: buffer) > 0 {}
    }
  }
}
