import Support

/// The directory of a zip archive, every entry of which has been found where it should be.
///
/// Stored and deflated entries, zip64 and data descriptors are read; anything that two readers
/// could understand differently is refused.
final class ZipArchive: Sendable {
  let file: InputFile
  let entries: [ZipEntry]
  /// Whether records are held against their checksums.
  let checksCRC: Bool
  private let indices: [TensorName: Int]

  /// Reads the directory and all local headers, no data.
  ///
  /// - Throws: `FormatError` with a `zip…` code, `trailingBytes` or `entryLimit`.
  init(_ file: InputFile, checksCRC: Bool = true) throws {
    self.file = file
    self.checksCRC = checksCRC
    let end = try ZipDirectoryEnd.find(in: file)
    entries = try Self.readEntries(end, file)
    var indices: [TensorName: Int] = [:]
    for (index, entry) in entries.enumerated() {
      guard indices.updateValue(index, forKey: TensorName(entry.name)) == nil else {
        throw FormatError(.zipDuplicate, subject: entry.name)
      }
    }
    self.indices = indices
    try Self.checkTiling(entries)
  }

  /// The entry of exactly that name.
  ///
  /// - Throws: `FormatError` with code `zipNotRegular` when it is a directory.
  func entry(_ name: String) throws -> ZipEntry? {
    if indices[TensorName(name + "/")] != nil {
      throw FormatError(.zipNotRegular, subject: name, found: "a directory")
    }
    guard let index = indices[TensorName(name)] else { return nil }
    guard !entries[index].isDirectory else {
      throw FormatError(.zipNotRegular, subject: name, found: "a directory")
    }
    return entries[index]
  }

  private static func readEntries(
    _ end: ZipDirectoryEnd, _ file: InputFile
  ) throws -> [ZipEntry] {
    var cursor = ByteCursor(
      try file.bytes(end.offset..<end.offset + end.size), base: end.offset)
    var entries: [ZipEntry] = []
    while !cursor.isAtEnd {
      guard entries.count < end.entryCount else {
        throw FormatError(
          .zipCountMismatch, offset: cursor.offset, expected: "\(end.entryCount) entries",
          found: "more")
      }
      var entry = try ZipEntry(central: &cursor)
      try entry.locate(in: file, before: end.offset)
      entries.append(entry)
    }
    guard entries.count == end.entryCount else {
      throw FormatError(
        .zipCountMismatch, offset: end.offset, expected: "\(end.entryCount) entries",
        found: "\(entries.count)")
    }
    return entries
  }

  /// Entries may leave gaps between them, but never share a byte, and the first starts the file.
  private static func checkTiling(_ entries: [ZipEntry]) throws {
    let sorted = entries.sorted { $0.headerOffset < $1.headerOffset }
    if let first = sorted.first, first.headerOffset > 0 {
      throw FormatError(
        .trailingBytes, offset: 0, subject: first.name, expected: "the archive's first entry",
        found: "\(first.headerOffset) other bytes before it")
    }
    for (entry, next) in zip(sorted, sorted.dropFirst()) where entry.end > next.headerOffset {
      throw FormatError(
        .zipOverlap, offset: next.headerOffset, subject: next.name,
        expected: "a start at or after \(entry.end)", found: "\(next.headerOffset)")
    }
  }
}
