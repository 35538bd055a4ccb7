import CKernels
import TestSupport
import Testing

@testable import Formats

@Suite("Writing zip archives")
struct StoredZipTests {
  /// Records beyond 4 GiB and behind it, in a file that is all holes but for its framing.
  @Test func `records that need 64 bits are found again`() throws {
    let sizes = [("r/small", 3), ("r/empty", 0), ("r/huge", 5 << 30), ("r/behind", 100)]
    let layout = try StoredZipLayout(sizes)
    // The holes read as zeros; the checksum of all five gigabytes is not what is tested here.
    let checksums = sizes.map { _, size in
      size > 100
        ? 1
        : [UInt8](repeating: 0, count: size).withUnsafeBytes {
          wt_crc32(0, $0.baseAddress, $0.count)
        }
    }
    let directory = try TemporaryDirectory()
    let output = try AtomicFile(target: directory.file("big.zip"), size: 0, overwrite: false)
    for piece in layout.framing(checksums) {
      try piece.bytes.withUnsafeBytes { try output.write($0, at: piece.offset) }
    }
    #expect(output.byteCount == layout.fileSize)
    let archive = try ZipArchive(InputFile(output.temporary))
    #expect(archive.entries.map(\.name) == sizes.map(\.0))
    for (entry, record) in zip(archive.entries, layout.records) {
      #expect(entry.dataOffset == record.dataOffset)
      #expect(entry.uncompressedSize == record.size)
      #expect(entry.dataOffset.isMultiple(of: 64))
      if record.size <= 100 { try archive.verifyStored(entry) }
    }
  }

  @Test func `sizes that do not fit are refused`() {
    #expect(throws: FormatError.self) { try StoredZipLayout([("a", .max)]) }
    #expect(throws: FormatError.self) {
      try StoredZipLayout(Array(repeating: ("a", Int.max / 2 - 1), count: 4))
    }
  }
}
