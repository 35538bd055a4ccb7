import Support
import Synchronization

/// Deflated records of an archive, inflated once each into one nameless file.
///
/// Views that take parts of a record would otherwise each inflate all that lies before theirs.
final class InflatedRecords: Sendable {
  private struct State {
    var file: InputFile?
    /// Where in the file each record belongs, by the place of its header.
    var starts: [Int: Int] = [:]
    /// Records that are in the file.
    var done: Set<Int> = []
  }

  private let zip: ZipArchive
  private let directory: String
  private let state = Mutex(State())

  init(_ zip: ZipArchive, in directory: String) {
    self.zip = zip
    self.directory = directory
  }

  /// The file in which the record lies uncompressed, and where; its checksum has been compared.
  ///
  /// - Throws: `FormatError` with code `inflateSizeMismatch`, `inflateCorrupt`, `crcMismatch` or
  ///   `ioError`.
  func place(of entry: ZipEntry) throws -> (file: InputFile, start: Int) {
    try entry.checkRatio()
    return try state.withLock { state in
      let file = try state.file ?? prepare(&state)
      let start = state.starts[entry.headerOffset] ?? 0
      if !state.done.contains(entry.headerOffset) {
        try inflate(entry, into: file, at: start)
        state.done.insert(entry.headerOffset)
      }
      return (file, start)
    }
  }

  /// Makes a file of holes, as large as all records that could be asked for.
  private func prepare(_ state: inout State) throws -> InputFile {
    var total = 0
    for entry in zip.entries where entry.method == .deflated && (try? entry.checkRatio()) != nil {
      state.starts[entry.headerOffset] = total
      total += entry.uncompressedSize
    }
    let scratch = try ScratchFile(in: directory, zip.file.fileSystem)
    try scratch.resize(total)
    let file = try InputFile(
      unpacked: scratch.release(), from: InputFile.Source(file: zip.file, compression: nil))
    state.file = file
    return file
  }

  private func inflate(_ entry: ZipEntry, into file: InputFile, at start: Int) throws {
    let reader = try RecordReader(zip, entry)
    var done = 0
    try withChunk(of: chunkBytes) { buffer in
      while case let count = try reader.read(into: buffer), count > 0 {
        try writeAll(
          UnsafeRawBufferPointer(buffer.first(count)), at: start + done, to: file.descriptor,
          of: directory, file.fileSystem)
        done += count
      }
    }
  }
}
