import TestSupport
import Testing

@testable import Formats

/// The rows of the bad-input table about torch's streams from before version 1.6 (78 to 81).
@Suite("Hostile torch streams")
struct TorchStreamRowTests {
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var bytes: [UInt8]
    var code: FormatError.Code

    init(_ name: String, bytes: [UInt8], _ code: FormatError.Code) {
      testDescription = name
      self.bytes = bytes
      self.code = code
    }

    init(
      _ name: String, _ code: FormatError.Code, _ change: (inout TorchStreamBuilder) -> Void
    ) {
      var stream = TorchStreamBuilder()
      change(&stream)
      self.init(name, bytes: stream.build(), code)
    }

    /// A row about the value of the one tensor.
    init(
      _ name: String, _ code: FormatError.Code, value: (PickleBuilder) -> PickleBuilder
    ) {
      self.init(name, bytes: TorchStreamBuilder(value).build(), code)
    }
  }

  static let p = PickleBuilder()
  static let good = TorchStreamBuilder().build()
  static let evaluated = p.global("builtins", "eval").tuple { $0.text("1001") }.op("R").stop

  static let rows: [Row] = [
    Row("78 wrong magic", .badMagic) { $0.magic[5] ^= 1 },
    Row("78 small magic", .badMagic) { $0.magic = p.int(7).stop },
    Row("78 magic in a tuple", .badMagic) {
      $0.magic = PickleBuilder([0x80, 2] + TorchStreamBuilder.magicNumber).op(0x85).stop
    },
    Row("78 magic by eval", .badMagic) { $0.magic = evaluated },
    Row("78 version 1002", .badMagic) { $0.version = p.int(1002).stop },
    Row("78 version by eval", .badMagic) { $0.version = evaluated },
    Row("78 version as text", .badMagic) { $0.version = p.text("1001").stop },
    Row("78 no dictionary of the machine", .badMagic) { $0.system = p.op("]").stop },
    Row("79 key that no tensor uses", .storageSizeMismatch) {
      $0.keys = p.op("]").text("0").op("a").text("1").op("a").stop
      $0.storages.append(.init())
    },
    Row("79 used key not in the list", .storageSizeMismatch) {
      $0.keys = p.op("]").stop
      $0.storages = []
    },
    Row("79 key twice", .storageSizeMismatch) {
      $0.keys = p.op("]").text("0").op("a").text("0").op("a").stop
      $0.storages.append(.init())
    },
    Row("79 keys that are numbers", .badStorageKey) { $0.keys = p.op("]").int(0).op("a").stop },
    Row("79 keys in no list", .badStorageKey) { $0.keys = p.text("0").stop },
    Row("79 corrupt count", .storageSizeMismatch) {
      $0.storages[0].count = -7_659_745_797_817_883_467
    },
    Row("79 count 0", .storageSizeMismatch) { $0.storages[0].count = 0 },
    Row("79 count of bytes", .storageSizeMismatch) { $0.storages[0].count = 16 },
    Row("80 trailing byte", .trailingBytes) { $0.suffix = [0] },
    Row("80 trailing pickle", .trailingBytes) { $0.suffix = p.op("N").stop },
    Row("80 end in a storage", .truncated) { $0.storages[0].bytes.removeLast() },
    Row("80 end in a count", bytes: Array(good.dropLast(17)), .truncated),
    Row("80 end after the keys", bytes: Array(good.dropLast(24)), .truncated),
    Row("80 end after the magic", bytes: Array(good.prefix(15)), .truncated),
    Row("80 end in the magic", bytes: Array(good.prefix(14)), .truncated),
    Row("81 tar", bytes: tar(type: "0"), .unsupportedContainer),
    Row("81 tar with a link", bytes: tar(type: "2"), .unsupportedContainer),
    Row("81 tar with a device", bytes: tar(type: "3"), .unsupportedContainer),
    Row("27 call of os.system", .forbiddenGlobal) {
      $0.global("os", "system").op("(").text("id").op("tR")
    },
    Row("40 whole module", .badPersistentId) {
      $0.tuple { $0.text("module").global("my", "Net").op("NN") }.op("Q")
    },
    Row("41 five fields", .badPersistentId) { $0.tensor() },
    Row("41 seven fields", .badPersistentId) { $0.tensor { $0.op("NN") } },
    Row("41 negative count", .badPersistentId) { $0.tensor(count: -1) { $0.op("N") } },
    Row("view of two fields", .badPersistentId) {
      $0.tensor { $0.tuple { $0.text("v").int(0) } }
    },
    Row("view past the storage", .viewOutOfBounds) {
      $0.tensor { $0.tuple { $0.text("v").int(1).int(4) } }
    },
    Row("view at the end of numbers", .viewOutOfBounds) {
      $0.tensor { $0.tuple { $0.text("v").int(.max).int(.max) } }
    },
    Row("tensor past its view", .viewOutOfBounds) {
      $0.tensor { $0.tuple { $0.text("v").int(1).int(2) } }
    },
    Row("view under a storage's key", .storageConflict) {
      $0.tensor { $0.tuple { $0.text("0").int(1).int(2) } }
    },
    Row("62 other count for a key", .storageConflict) {
      $0.tensor { $0.op("N") }.op("s").text("b").tensor(count: 3, size: [3]) { $0.op("N") }
    },
    Row("55 wrapping count", .overflow) {
      $0.tensor(count: 0x4000_0000_0000_0001) { $0.op("N") }
    },
    Row("66 unknown storage", .unsupportedDtype) { $0.tensor("FooStorage") { $0.op("N") } },
    Row("60 expansion bomb", .expansionLimit) {
      $0.tensor(size: [1_000_000_000_000], strides: [0]) { $0.op("N") }
    },
  ]

  /// One member's header, which is all that is ever looked at.
  private static func tar(type: String) -> [UInt8] {
    var block = [UInt8](repeating: 0, count: 1024)
    block.replaceSubrange(0..<11, with: "/etc/passwd".utf8)
    block[156] = Array(type.utf8)[0]
    block.replaceSubrange(257..<262, with: "ustar".utf8)
    return block
  }

  @Test(arguments: rows) func `a hostile stream is refused by name`(row: Row) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(row.bytes, as: "hostile.pth")
    let stopwatch = Stopwatch()
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == row.code, "\(error as Any)")
    #expect(error?.file == path)
    #expect(stopwatch.seconds < 2)
    #expect(try directory.entries() == ["hostile.pth"])
  }

  // MARK: - What must not be refused

  private func open(
    _ stream: TorchStreamBuilder, in directory: TemporaryDirectory
  ) throws -> any Checkpoint {
    try openCheckpoint(directory.write(stream.build(), as: "good.pth"))
  }

  @Test func `the stream that the others spoil is good`() throws {
    let directory = try TemporaryDirectory()
    let checkpoint = try open(TorchStreamBuilder(), in: directory)
    #expect(checkpoint.container == .torchLegacy)
    #expect(try checkpoint.bytes(of: 0) == [UInt8](1...16))
    #expect(checkpoint.notes.isEmpty)
  }

  @Test func `a part of a storage under a key of its own is read`() throws {
    let directory = try TemporaryDirectory()
    let stream = TorchStreamBuilder {
      $0.tensor { $0.op("N") }.op("s").text("part").tensor(offset: 1, size: [2]) {
        $0.tuple { $0.text("v").int(1).int(3) }
      }
    }
    let checkpoint = try #require(try open(stream, in: directory) as? TorchCheckpoint)
    #expect(try checkpoint.bytes(of: 1) == [UInt8](9...16))
    #expect(checkpoint.sharedTensors == [[0, 1]])
  }

  @Test func `bytes are little-endian whatever machine wrote them, and that is told`() throws {
    let directory = try TemporaryDirectory()
    var stream = TorchStreamBuilder()
    stream.system = Self.p.dict("little_endian") { $0.op(0x89) }.stop
    let checkpoint = try open(stream, in: directory)
    #expect(try checkpoint.bytes(of: 0) == [UInt8](1...16))
    #expect(checkpoint.notes.count == 1)
  }

  @Test func `names are listed with their places, refused or not`() throws {
    let directory = try TemporaryDirectory()
    let stream = TorchStreamBuilder {
      $0.tensor { $0.op("N") }.op("s").text("b").global("os", "system").op(")R").op("s").text("c")
        .tuple { $0.text("module").global("my", "Net").op("NN") }.op("Q")
    }
    let path = try directory.write(stream.build(), as: "evil.pth")
    let listed = try pickleGlobals(of: path)
    #expect(
      listed.map(\.name) == [
        "torch._utils._rebuild_tensor_v2", "torch.FloatStorage", "os.system", "my.Net",
      ])
    let bytes = stream.build()
    for mention in listed {
      let module = mention.name.prefix { $0 != "." }
      #expect(bytes[mention.offset] == UInt8(ascii: "c"))
      #expect(bytes[(mention.offset + 1)...].starts(with: module.utf8))
    }
    #expect(listed[2].verdict == .refused && listed[2].isCalled)
  }

  @Test func `whoever computes the magic number is listed`() throws {
    let directory = try TemporaryDirectory()
    var stream = TorchStreamBuilder()
    stream.magic = Self.evaluated
    let path = try directory.write(stream.build(), as: "evil.pth")
    #expect(try pickleGlobals(of: path).first?.name == "builtins.eval")
  }
}
