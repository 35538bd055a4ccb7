import TestSupport
import Testing

@testable import Formats

/// The rows of the bad-input table about torch objects, storages and views.
@Suite("Hostile torch archives")
struct TorchRowTests {
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var archive: ZipBuilder
    var code: FormatError.Code

    init(_ name: String, _ archive: ZipBuilder, _ code: FormatError.Code) {
      testDescription = name
      self.archive = archive
      self.code = code
    }

    init(
      _ name: String, _ code: FormatError.Code, _ value: (PickleBuilder) -> PickleBuilder
    ) {
      self.init(name, .torch(PickleBuilder().dict("a", value).stop), code)
    }
  }

  static let good = PickleBuilder().dict { $0.tensor() }.stop

  static let rows: [Row] =
    [
      Row("53 count beyond the record", .storageSizeMismatch) { $0.tensor(count: 1_000_000_000) },
      Row("54 count below the record", .storageSizeMismatch) { $0.tensor(count: 2, size: [2]) },
      Row("55 wrapping count", .overflow) { $0.tensor(count: 0x4000_0000_0000_0001) },
      Row("56 view out of range", .viewOutOfBounds) {
        $0.tensor(offset: 3, size: [2, 1], strides: [1, 1])
      },
      Row("57 negative size", .negativeDimension) { $0.tensor(size: [-1]) },
      Row("57 negative stride", .negativeDimension) { $0.tensor(strides: [-1]) },
      Row("57 least offset", .negativeDimension) { $0.tensor(offset: .min) },
      Row("58 stride overflow", .overflow) {
        $0.tensor(size: [1 << 31, 1 << 31], strides: [1 << 32, 1 << 32])
      },
      Row("59 rank mismatch", .rankMismatch) { $0.tensor(size: [2, 2]) },
      Row("59 rank 10000", .rankLimit) {
        $0.tensor(size: Array(repeating: 1, count: 10_000), strides: [1])
      },
      Row("60 expansion bomb", .expansionLimit) {
        $0.tensor(size: [1_000_000_000_000], strides: [0])
      },
      Row("61 overlapping views", manyViews, .expansionLimit),
      Row("62 other type for a key", .storageConflict) {
        $0.tensor().op("s").text("b").tensor("DoubleStorage", count: 2, size: [2])
      },
      Row("62 other count for a key", .storageConflict) {
        $0.tensor().op("s").text("b").tensor(count: 3, size: [3])
      },
      Row("63 missing record", .missingRecord) { $0.tensor(key: "7") },
      Row("65 path as a key", .badStorageKey) { $0.tensor(key: "../../etc/passwd") },
      Row("65 empty key", .badStorageKey) { $0.tensor(key: "") },
      Row("65 key with a slash", .badStorageKey) { $0.tensor(key: "0/1") },
      Row("65 key with a zero byte", .badStorageKey) { $0.tensor(key: "0\u{0}") },
      Row("65 key of 1 MB", .badPersistentId) {
        $0.tensor(key: String(repeating: "0", count: 1 << 20))
      },
      Row("66 unknown storage", .unsupportedDtype) { $0.tensor("FooStorage") },
      Row("67 byte order", .torch(good, byteorder: "middle"), .badByteorder),
      Row("67 empty byte order", .torch(good, byteorder: ""), .badByteorder),
      Row("68 version 999", .torch(good, version: "999\n"), .unsupportedVersion),
      Row("68 version -1", .torch(good, version: "-1\n"), .unsupportedVersion),
      Row("68 garbage version", .torch(good, version: "3garbage"), .unsupportedVersion),
      Row("68 no version", .torch(good, version: nil), .unsupportedVersion),
      Row("69 TorchScript", adding("m/constants.pkl"), .unsupportedContainer),
      Row("69 torch.package", adding("m/.data/extern_modules"), .unsupportedContainer),
      // The row's other half, a file saved under torch.serialization.skip_data, has records of zeros,
      // which nothing tells from weights that are zero.
      Row("70 meta tensor", .noTensorData) {
        $0.global("torch._utils", "_rebuild_meta_tensor_no_storage")
          .tuple { $0.global("torch", "float32").ints([4]).ints([1]).op(0x89) }.op("R")
      },
      Row("72 quantised axis", .badQuantParams) {
        $0.global("torch._utils", "_rebuild_qtensor").tuple {
          $0.storage("QInt8Storage", count: 16).int(0).ints([4, 4]).ints([4, 1]).tuple {
            $0.global("torch", "per_channel_affine").ints([1]).ints([1]).int(99)
          }.op(0x89).op("}")
        }.op("R")
      },
      Row("72 quantised lengths", .badQuantParams) {
        $0.global("torch._utils", "_rebuild_qtensor").tuple {
          $0.storage("QInt8Storage", count: 16).int(0).ints([4, 4]).ints([4, 1]).tuple {
            $0.global("torch", "per_channel_affine").ints([1]).ints([1]).int(0)
          }.op(0x89).op("}")
        }.op("R")
      },
      Row("74 from_type of print", .forbiddenGlobal) {
        $0.global("torch._tensor", "_rebuild_from_type_v2")
          .tuple { $0.global("a", "print").global("a", "B").op(")}") }.op("R")
      },
      Row("74 a thousand types around a tensor", .depthLimit, nestedTypes),
      Row("75 too few arguments", .badArity) {
        $0.global("torch._utils", "_rebuild_tensor_v2").tuple { $0.storage() }.op("R")
      },
      Row("75 too many arguments", .badArity) {
        $0.global("torch._utils", "_rebuild_parameter").tuple { $0.op("NNNNN") }.op("R")
      },
      Row("76 two candidates", .torch(candidates), .ambiguousRoot),
      Row("48 duplicate name", .duplicateName) { $0.tensor().op("s").text("a").tensor() },
      Row("47 name in bad UTF-8", .torch(badName), .invalidUTF8),
      Row("47 lone surrogate in a name", .torch(surrogate), .invalidUTF8),
      Row("15 wide dictionary recalled again and again", .torch(wideDictionary), .nodeLimit),
      Row("no tensors", .noTensors) { $0.int(1) },
      Row("tensor in an object", .tensorInOpaqueObject) {
        $0.op("}").text("t").tensor().op("s").text("o").global("my", "Box").op(")").op(0x81)
          .op("}").text("w").tensor().op("sb").op("s")
      },
    ] + rebuilds

  /// Each function that makes a tensor, called with nothing (75).
  private static let rebuilds: [Row] = [
    "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter",
    "_rebuild_parameter_with_state", "_rebuild_qtensor", "_rebuild_sparse_tensor",
    "_rebuild_meta_tensor_no_storage", "_rebuild_device_tensor_from_numpy",
    "_rebuild_device_tensor_from_cpu_tensor", "_rebuild_wrapper_subclass",
  ].map { name in
    Row("75 \(name) of nothing", .badArity) { $0.global("torch._utils", name).op(")R") }
  }

  /// A list of one dictionary, which has one tensor among many values.
  private static let wideDictionary: [UInt8] = {
    let start = PickleBuilder().op("](}q").op(1).op("(").text("w").tensor()
      .text("k").op("q").op(2).op("Nq").op(3)
    let pairs = [UInt8]((0..<2_000).flatMap { _ in [0x68, 2, 0x68, 3] as [UInt8] })
    let recalls = [UInt8]((0..<20).flatMap { _ in [0x68, 1] as [UInt8] })
    return PickleBuilder(start.bytes + pairs + [0x75] + recalls).op("e").stop
  }()

  /// `_rebuild_from_type_v2` of itself, again and again.
  private static func nestedTypes(_ start: PickleBuilder) -> PickleBuilder {
    let opened = (0..<1000).reduce(start) { pickle, _ in
      pickle.global("torch._tensor", "_rebuild_from_type_v2").op("(")
        .global("torch._utils", "_rebuild_tensor_v2").global("torch", "Tensor").op("(")
    }
    return (0..<1000).reduce(opened) { pickle, _ in pickle.op("t}tR") }
  }

  /// Many names for one storage, out of all proportion to the file.
  static let manyViews: ZipBuilder = {
    var pickle = PickleBuilder().op("}")
    for index in 0..<200 {
      pickle = pickle.text("t\(index)").tensor(count: 1 << 18, size: [1 << 18]).op("s")
    }
    return .torch(pickle.stop, storage: [UInt8](repeating: 0, count: 1 << 20))
  }()

  /// A long tuple or dictionary that every opcode or tensor looks at again.
  static let floods: [(name: String, pickle: [UInt8])] = {
    let items = PickleBuilder().op("(").op(String(repeating: "N", count: 100_000)).op("t")
    let ids = String(repeating: "h\u{1}Q", count: 100_000)
    let makers = (0..<100_000).map { _ in "h\u{2}h\u{1}R" }.joined()
    let pairs = (0..<50_000).reduce(into: [UInt8]()) { bytes, index in
      bytes += [0x4D, UInt8(index & 0xFF), UInt8(index >> 8), 0x4E]
    }
    let tensor = PickleBuilder().global("torch._utils", "_rebuild_tensor_v2").tuple {
      let start = $0.storage().int(0).ints([4]).ints([1]).op(0x89).op("}")
      return PickleBuilder(start.op("}(").bytes + pairs).op("u")
    }.op("R")
    return [
      (
        "appends to a call",
        PickleBuilder().global("builtins", "set").op(")R")
          .op(String(repeating: "Na", count: 100_000)).stop
      ),
      ("ids of a long tuple", items.op(0x71, 1).op(ids).stop),
      (
        "constructors of a long tuple",
        items.op(0x71, 1).global("copyreg", "_reconstructor").op(0x71, 2).op(makers).stop
      ),
      ("a tensor with endless metadata", PickleBuilder(tensor.bytes).stop),
    ]
  }()

  @Test(arguments: floods.map(\.name))
  func `looking at a long container again and again stays cheap`(name: String) throws {
    let pickle = try #require(Self.floods.first { $0.name == name }).pickle
    let directory = try TemporaryDirectory()
    let path = try directory.write(ZipBuilder.torch(pickle).build(), as: "flood.pth")
    for command in [["inspect", path], ["inspect", "--globals", path]] {
      let outcome = try Tool.run(command, in: directory)
      #expect(outcome.signal == 0)
      #expect(outcome.processorSeconds < 2, "\(command)")
    }
  }

  static let candidates = PickleBuilder().op("}").text("model").dict { $0.tensor() }.op("s")
    .text("state_dict").dict { $0.tensor() }.op("s").stop

  static let badName =
    PickleBuilder().op("}").op(0x58, 1, 0, 0, 0, 0xFF).tensor().op("s").stop

  static let surrogate =
    PickleBuilder().op("}").op(0x58, 3, 0, 0, 0, 0xED, 0xA0, 0x80).tensor().op("s").stop

  static func adding(_ name: String) -> ZipBuilder {
    var archive = ZipBuilder.torch(good)
    archive.records.append(ZipBuilder.Record(name, "x"))
    return archive
  }

  @Test(arguments: rows) func `a hostile archive is refused by name`(row: Row) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(row.archive.build(), as: "hostile.pth")
    let stopwatch = Stopwatch()
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == row.code)
    #expect(error?.file == path)
    #expect(stopwatch.seconds < 2)
    #expect(try directory.entries() == ["hostile.pth"])
  }

  @Test func `the archive that the others spoil is good`() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(ZipBuilder.torch(Self.good).build(), as: "good.pth")
    let checkpoint = try openCheckpoint(path)
    #expect(try checkpoint.bytes(of: 0) == [UInt8](1...16))
  }

  @Test func `names equal only canonically are both kept (49)`() throws {
    let directory = try TemporaryDirectory()
    let pickle = PickleBuilder().op("}").text("\u{E9}").tensor().op("s").text("e\u{301}").tensor()
      .op("s").stop
    let path = try directory.write(ZipBuilder.torch(pickle).build(), as: "a.pth")
    #expect(try openCheckpoint(path).tensors.count == 2)
  }

  @Test func `a record that nothing names is told (64)`() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(Self.adding("m/data/999").build(), as: "a.pth")
    #expect(try openCheckpoint(path).notes.count == 1)
    let outcome = try Tool.run(["inspect", path], in: directory)
    #expect(outcome.status == 0 && outcome.errors.contains("warning: "), "\(outcome.errors)")
    #expect(outcome.errors.contains("1 storage record(s) belong to no value"))
  }

  @Test func `control characters in names are kept and printed escaped (52)`() throws {
    let directory = try TemporaryDirectory()
    let pickle = PickleBuilder().dict("\u{1B}[2J\u{202E}") { $0.tensor() }.stop
    let path = try directory.write(ZipBuilder.torch(pickle).build(), as: "a.pth")
    #expect(try openCheckpoint(path).tensors[0].name.description == "\\u{1b}[2J\\u{202e}")
  }
}
