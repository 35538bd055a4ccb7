/// Files of two formats at once, which are one thing to us and another to Python.
enum FileTwin {
  private static let directoryEnd: [UInt8] = [0x50, 0x4B, 5, 6]
  private static let longDirectoryLocator: [UInt8] = [0x50, 0x4B, 6, 7]
  private static let directoryEntry: [UInt8] = [0x50, 0x4B, 1, 2]
  private static let locatorSize = 20

  /// Refuses a file of another format that an HDF5 file follows.
  ///
  /// - Throws: `FormatError` with code `trailingBytes`.
  static func refuseHDF5(in file: InputFile) throws {
    guard let place = try HDF5Signature.place(in: file) else { return }
    throw refusal(place, "an HDF5 file behind other bytes")
  }

  /// Refuses a file of another format that a zip archive follows.
  ///
  /// Python looks for the archive's end as far back as the longest comment reaches, and takes one
  /// with other bytes behind it.
  /// - Throws: `FormatError` with code `trailingBytes`.
  static func refuseZip(behind file: InputFile) throws {
    let size = ZipDirectoryEnd.recordSize
    guard file.size > size else { return }
    let start = max(0, file.size - size - Int(UInt16.max))
    let tail = try file.bytes(start..<file.size)
    var place = tail.count - size
    while place >= 0 {
      if tail[place] == directoryEnd[0], tail[place...].starts(with: directoryEnd),
        try isEnd(tail[place...], at: start + place, of: file)
      {
        throw refusal(start + place, "a zip archive after other bytes")
      }
      place -= 1
    }
  }

  /// Whether a signature is more than a chance among a tensor's bytes.
  private static func isEnd(
    _ record: ArraySlice<UInt8>, at place: Int, of file: InputFile
  ) throws -> Bool {
    var cursor = ByteCursor(Array(record.prefix(ZipDirectoryEnd.recordSize)), base: place)
    _ = try cursor.slice(12)
    let directoryBytes = Int(try cursor.u32())
    _ = try cursor.slice(4)
    if Int(try cursor.u16()) == record.count - ZipDirectoryEnd.recordSize { return true }
    return try holds(directoryEntry, at: place - directoryBytes, file)
      || holds(longDirectoryLocator, at: place - locatorSize, file)
  }

  private static func holds(_ bytes: [UInt8], at place: Int, _ file: InputFile) throws -> Bool {
    try place >= 0 && file.bytes(place..<place + bytes.count) == bytes
  }

  private static func refusal(_ offset: Int, _ found: String) -> FormatError {
    FormatError(.trailingBytes, offset: offset, expected: "one format", found: found)
  }
}
