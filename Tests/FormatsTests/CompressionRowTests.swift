import TestSupport
import Testing

@testable import Formats

/// The rows of the bad-input table about zstd and gzip around a whole file.
@Suite("Hostile compressed files")
struct CompressionRowTests {
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var bytes: [UInt8]
    var code: FormatError.Code

    init(_ name: String, _ bytes: [UInt8], _ code: FormatError.Code) {
      testDescription = name
      self.bytes = bytes
      self.code = code
    }
  }

  typealias Builder = CompressionBuilder

  static let inner = SafeTensorsRowTests.file(
    Array("{\(SafeTensorsRowTests.tensor())}".utf8), data: 4)
  static let size = UInt8(inner.count)
  static let raw = Builder.frame(descriptor: 0x20, fields: [size], inner)
  static let full = [UInt8](repeating: 0xFF, count: 8)

  static let rows: [Row] =
    [
      Row(
        "128 window of 3.75 TB", Builder.frame(descriptor: 0, fields: [0xFF], inner), .zstdWindow),
      Row(
        "128 content of 2^64-1", Builder.frame(descriptor: 0xE0, fields: full, inner), .zstdWindow),
      Row(
        "128 content size one more",
        Builder.frame(descriptor: 0x20, fields: [size + 1], inner), .sizeMismatch),
      Row(
        "128 content size one less",
        Builder.frame(descriptor: 0x20, fields: [size - 1], inner), .sizeMismatch),
      Row(
        "128 reserved bit", Builder.frame(descriptor: 0x28, fields: [size], inner), .zstdCorrupt),
      Row(
        "128 reserved block type",
        Builder.frame(descriptor: 0, fields: [7 << 3], inner, blockType: 3), .zstdCorrupt),
      Row(
        "128 dictionary", Builder.frame(descriptor: 0x21, fields: [7, size], inner), .zstdCorrupt),
      Row(
        "128 wrong checksum",
        Builder.frame(descriptor: 0x24, fields: [size], inner, suffix: [1, 2, 3, 4]),
        .checksumMismatch),
      Row(
        "128 a million skippable frames",
        Array(repeatElement(Builder.skippable(), count: 1_000_000).joined()), .frameLimit),
      Row("128 runs of zeros", Builder.runs(1000), .expansionLimit),
      Row("128 trailing bytes", raw + [1, 2, 3, 4], .trailingBytes),
      Row("128 trailing zeros", raw + [0, 0, 0, 0], .trailingBytes),
      Row("128 compressed twice", Builder.zstd(Builder.gzip(inner)), .unsupportedContainer),
      Row("128 nothing inside", Builder.zstd([]), .truncated),
      Row("129 wrong CRC", Builder.gzip(inner, crc: 1), .gzipCorrupt),
      Row("129 wrong size", Builder.gzip(inner, size: 1), .gzipCorrupt),
      Row("129 garbage behind", Builder.gzip(inner) + [1, 2, 3], .trailingBytes),
      Row("129 garbage behind zeros", Builder.gzip(inner) + [0, 0, 3], .trailingBytes),
      Row("129 endless extra field", [0x1F, 0x8B, 8, 4, 0, 0, 0, 0, 0, 255] + full, .truncated),
      Row(
        "129 endless name",
        [0x1F, 0x8B, 8, 8, 0, 0, 0, 0, 0, 255] + Array(repeating: 0x61, count: 100_000), .truncated),
      Row("129 reserved flags", Builder.gzip(inner, flags: 0xE0), .gzipCorrupt),
      Row("129 method 7", [0x1F, 0x8B, 7] + Builder.gzip(inner).dropFirst(3), .gzipCorrupt),
      Row(
        "129 a hundred thousand members",
        Array(repeatElement(Builder.gzip([]), count: 100_000).joined()), .frameLimit),
      Row(
        "129 zeros", Builder.gzip([UInt8](repeating: 0, count: 80 << 20)), .expansionLimit),
    ]

  @Test(arguments: rows) func `a hostile file is refused by name`(row: Row) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(row.bytes, as: "hostile")
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == row.code)
    #expect(error?.file == path)
  }

  static let good: [(name: String, bytes: [UInt8])] = [
    ("raw block", raw), ("zstd", Builder.zstd(inner)), ("gzip", Builder.gzip(inner)),
    ("no checksum", Builder.zstd(inner, hasChecksum: false)),
    (
      "frames in a row",
      Builder.zstd(Array(inner.prefix(9))) + Builder.zstd(Array(inner.dropFirst(9)))
    ),
    (
      "skippable frames around",
      Builder.skippable([1, 2]) + Builder.zstd(inner) + Builder.skippable()
    ),
    (
      "members in a row",
      Builder.gzip(Array(inner.prefix(9))) + Builder.gzip(Array(inner.dropFirst(9)))
    ),
    ("padding", Builder.gzip(inner) + [UInt8](repeating: 0, count: 300_000)),
    ("a name", Builder.gzip(inner, flags: 8, extra: [0x61, 0])),
  ]

  @Test(arguments: good.map(\.name)) func `what tools write is read`(name: String) throws {
    let bytes = try #require(Self.good.first { $0.name == name }).bytes
    let directory = try TemporaryDirectory()
    let checkpoint = try openCheckpoint(directory.write(bytes, as: "a"))
    #expect(checkpoint.tensors.map(\.name) == ["a"])
    #expect(checkpoint.fileSize == bytes.count)
    #expect(checkpoint.compression != nil)
    #expect(try checkpoint.bytes(of: 0) == [0, 0, 0, 0])
  }

  /// A cut or a flipped bit in a file with checksums is noticed, or changes nothing.
  @Test(arguments: ["zstd", "gzip"]) func `no damage goes unseen`(name: String) throws {
    let bytes = try #require(Self.good.first { $0.name == name }).bytes
    let directory = try TemporaryDirectory()
    for count in 0..<bytes.count {
      let path = try directory.write(bytes[..<count], as: "cut")
      #expect(throws: FormatError.self, "\(count) bytes") { try openCheckpoint(path) }
    }
    for bit in 0..<8 * bytes.count {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << (bit % 8)
      let path = try directory.write(damaged, as: "flipped")
      if let found = try? openCheckpoint(path) {
        #expect(found.tensors.map(\.name) == ["a"], "bit \(bit)")
        #expect(try found.bytes(of: 0) == [0, 0, 0, 0], "bit \(bit)")
      }
    }
  }
}
