import TestSupport
import Testing

@testable import Formats

/// The rows of the bad-input table about the zip container.
@Suite("Hostile zip archives")
struct ZipRowTests {
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var bytes: [UInt8]
    var code: FormatError.Code

    init(_ name: String, _ code: FormatError.Code, _ change: (inout ZipBuilder) -> Void) {
      testDescription = name
      var archive = ZipBuilder.torch(TorchRowTests.good)
      change(&archive)
      bytes = archive.build()
      self.code = code
    }

    init(_ name: String, bytes: [UInt8], _ code: FormatError.Code) {
      testDescription = name
      self.bytes = bytes
      self.code = code
    }
  }

  static let whole = ZipBuilder.torch(TorchRowTests.good).build()

  private static let zip64Sizes =
    [UInt8](repeating: 0, count: 7) + [0x80] + [UInt8](repeating: 0, count: 8)

  static let rows: [Row] = [
    Row("82 cut", bytes: Array(whole.dropLast(30)), .zipNoDirectory),
    Row("83 two end records", bytes: whole + whole.suffix(22), .zipAmbiguous),
    Row("83 end record in the comment", .zipAmbiguous) {
      $0.comment = [0x50, 0x4B, 5, 6] + [UInt8](repeating: 0, count: 18)
    },
    Row("84 trailing bytes", .trailingBytes) { $0.suffix = [1, 2, 3] },
    Row("84 bytes before", .trailingBytes) { $0.prefix = [0x50, 0x4B, 3, 4, 0, 0] },
    Row("84 foreign bytes before", .trailingBytes) { $0.prefix = [1, 2, 3, 4] },
    Row("85 locator astray", .zip64Mismatch) { $0.zip64Shift = -1 },
    Row("86 full offset without zip64", .zip64Mismatch) { $0.directoryOffset = .max },
    Row("86 full size without zip64", .zip64Mismatch) { $0.records[2].size = .max },
    Row("86 size of 2^63 by zip64", .zip64Mismatch) {
      $0.records[2].size = .max
      $0.records[2].directoryExtra = [1, 0, 16, 0] + zip64Sizes
    },
    Row("86 zip64 field cut short", .zip64Mismatch) {
      $0.records[2].size = .max
      $0.records[2].directoryExtra = [1, 0, 8, 0] + zip64Sizes.prefix(8)
    },
    Row("87 count lie", .zipCountMismatch) { $0.count = 65_535 },
    Row("87 count too small", .zipCountMismatch) { $0.count = 3 },
    Row("87 count 2^40", .zipCountMismatch) {
      $0.zip64Shift = 0
      $0.zip64Count = 1 << 40
      $0.count = .max
    },
    Row("88 two names", .zipNameMismatch) { $0.records[0].localName = "m/datap.kl" },
    Row("89 encrypted", .zipUnsupportedFlag) { $0.records[0].flags = 1 },
    Row("89 patch data", .zipUnsupportedFlag) { $0.records[0].flags = 0x20 },
    Row("89 strong encryption", .zipUnsupportedFlag) { $0.records[0].flags = 0x40 },
    Row("89 masked headers", .zipUnsupportedFlag) { $0.records[0].flags = 0x2000 },
    Row("90 wrong checksum of the pickle", .crcMismatch) { $0.records[0].crc = 7 },
    Row("91 two data.pkl", .zipDuplicate) { $0.records.append($0.records[0]) },
    Row("92 dot component", .zipBadName) { $0.records[2].name = "m/./data/0" },
    Row("92 parent component", .zipBadName) { $0.records[2].name = "m/../0" },
    Row("92 absolute", .zipBadName) { $0.records[2].name = "/m/0" },
    Row("92 backslash", .zipBadName) { $0.records[2].name = "m\\0" },
    Row("93 entry within another", .zipOverlap) {
      // The first record's data are a whole entry of their own, which the directory lists as well.
      let inner = ZipBuilder([ZipBuilder.Record("m/x", "y")]).build()
      let header = 30 + "m/data.pkl".utf8.count
      $0.records.insert(ZipBuilder.Record("m/data.pkl", inner), at: 0)
      $0.records[1].name = "m/x"
      $0.records[1].content = [0x79]
      $0.records[1].localOffset = UInt32(header)
    },
    Row("95 longer stream", .inflateSizeMismatch) {
      $0.records[0].method = 8
      $0.records[0].size = UInt32($0.records[0].content.count - 1)
    },
    Row("95 shorter stream", .inflateSizeMismatch) {
      $0.records[0].method = 8
      $0.records[0].size = UInt32($0.records[0].content.count + 1)
    },
    Row("95 impossible ratio", .inflateSizeMismatch) {
      $0.records[0].method = 8
      $0.records[0].size = 60 << 20
    },
    Row("94 deflate bomb", bytes: bomb, .expansionLimit),
    Row("96 descriptor lie", .zipDescriptorMismatch) {
      $0.records[0].flags = 8
      $0.records[0].descriptorCRC = 1
    },
    Row("97 method 12", .zipUnsupportedMethod) { $0.records[0].method = 12 },
    Row("97 method 14", .zipUnsupportedMethod) { $0.records[0].method = 14 },
    Row("97 method 93", .zipUnsupportedMethod) { $0.records[0].method = 93 },
    Row("97 bytes that are no deflate stream", .inflateCorrupt) {
      $0.records[0].rawMethod = 8
    },
    Row("97 method 99", .zipUnsupportedMethod) { $0.records[0].method = 99 },
    Row("98 offset past the end", .zipBadOffset) { $0.records[2].localOffset = 1 << 30 },
    Row("98 offset of 2^32-2", .zipBadOffset) { $0.records[2].localOffset = .max - 1 },
    Row("98 offset into the directory", .zipBadOffset) {
      $0.records[2].localOffset = UInt32(whole.count - 22 - 40)
    },
    Row("99 extra too long", .zipBadExtra) { $0.records[0].extra = [0x46, 0x42, 0xFF, 0xFF] },
    Row("99 extra cut", .zipBadExtra) { $0.records[0].extra = [0x46, 0x42, 0] },
    Row("100 two roots", .zipMixedRoot) { $0.records[2].name = "n/data/0" },
    Row("100 no root", .zipMixedRoot) { $0.records[0].name = "data.pkl" },
    Row("100 200,001 entries", .entryLimit) { archive in
      archive.zip64Shift = 0
      archive.records += (0..<200_001).map { ZipBuilder.Record("m/data/\($0 + 1)", []) }
    },
    Row("101 second disk", .zipMultiDisk) { $0.disk = 1 },
    Row(
      "101 7z", bytes: [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C, 0, 4], .unsupportedContainer),
    Row("102 link", .zipNotRegular) {
      $0.records[2].madeBy = 3 << 8
      $0.records[2].attributes = 0xA1FF << 16
    },
    Row("102 directory", .zipNotRegular) {
      $0.records[2] = ZipBuilder.Record("m/data/0/", [])
    },
  ]

  private static let bomb: [UInt8] = {
    let pickle = PickleBuilder().dict { $0.tensor(count: 20 << 20, size: [20 << 20]) }.stop
    var archive = ZipBuilder.torch(pickle, storage: [UInt8](repeating: 0, count: 80 << 20))
    archive.records[2].method = 8
    return archive.build()
  }()

  @Test(arguments: rows) func `a hostile archive is refused by name`(row: Row) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(row.bytes, as: "hostile")
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == row.code)
    #expect(error?.file == path)
  }

  @Test func `a payload's checksum is compared when it is read, unless told not to (90)`() throws {
    let directory = try TemporaryDirectory()
    var archive = ZipBuilder.torch(TorchRowTests.good)
    archive.records[2].crc = 7
    let path = try directory.write(archive.build(), as: "a")
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path).bytes(of: 0) }
    #expect(error?.code == .crcMismatch)
    let lenient = try openCheckpoint(path, options: CheckpointOptions(checksCRC: false))
    #expect(try lenient.bytes(of: 0) == [UInt8](1...16))
  }

  @Test func `streamed and deflated records are read`() throws {
    let directory = try TemporaryDirectory()
    var archive = ZipBuilder.torch(TorchRowTests.good)
    archive.records[0].method = 8
    archive.records[2].flags = 8
    archive.zip64Shift = 0
    let path = try directory.write(archive.build(), as: "a")
    #expect(try openCheckpoint(path).bytes(of: 0) == [UInt8](1...16))
  }
}
