import TestSupport
import Testing

@testable import Formats

/// The row of the bad-input table about numpy's pickles (124), and what goes with it.
@Suite("Hostile numpy pickles")
struct NumpyPickleRowTests {
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
      _ name: String, _ code: FormatError.Code, _ value: (PickleBuilder) -> PickleBuilder
    ) {
      self.init(name, bytes: value(PickleBuilder()).stop, code)
    }
  }

  static let sixteen = [UInt8](1...16)

  static let rows: [Row] =
    [
      Row("124 data 1 short", .sizeMismatch) {
        $0.array(data: { $0.bytes(Array(sixteen.dropLast())) })
      },
      Row("124 data 1 long", .sizeMismatch) { $0.array(data: { $0.bytes(sixteen + [0]) }) },
      Row("124 no data", .sizeMismatch) { $0.array(data: { $0.bytes([]) }) },
      Row("124 negative shape", .badArrayState) { $0.array(shape: [-4]) },
      Row("124 two negative extents", .badArrayState) { $0.array(shape: [-2, -2]) },
      Row("124 2^62 elements", .sizeMismatch) { $0.array(shape: [1 << 62]) },
      Row("124 wrapping shape", .sizeMismatch) { $0.array(shape: [1 << 32, 1 << 32]) },
      Row("124 version 2", .badArrayState) { $0.array(version: 2) },
      Row("124 objects", .unsupportedDtype) {
        $0.array(shape: [1], type: { $0.dtype("O8", order: "|") }, data: { $0.op("]Na") })
      },
      Row("124 dtype version 9", .badArrayState) { $0.array(type: { $0.dtype(version: 9) }) },
      Row("124 item size", .badArrayState) { $0.array(type: { $0.dtype(itemSize: 1_000_000) }) },
      Row("124 byte order", .badArrayState) { $0.array(type: { $0.dtype(order: "?") }) },
      Row("124 two byte orders", .badArrayState) { $0.array(type: { $0.dtype(order: "<>") }) },
      Row("124 character beyond 255", .badArrayState) {
        $0.array(data: { $0.encoded("\u{100}bcdefghijklmnop") })
      },
      Row("124 overlong character", .badArrayState) { $0.array(data: { text($0, [0xC0, 0x80]) }) },
      Row("124 cut character", .badArrayState) { $0.array(data: { text($0, [0xC3]) }) },
      Row("124 other encoding", .badArrayState) {
        $0.array(data: { $0.encoded("abcdefghijklmnop", as: "utf-16") })
      },
      Row("124 text 1 short", .sizeMismatch) {
        $0.array(data: { $0.encoded("abcdefghijklmn\u{FF}") })
      },
      Row("124 order K without axes", .badArrayState) { $0.buffer(order: "K") },
      Row("124 order A", .badArrayState) { $0.buffer(order: "A") },
      Row("124 axes with order C", .badArrayState) { $0.buffer { $0.ints([0]) } },
      Row("124 axis twice", .badArrayState) {
        $0.buffer(shape: [2, 2], order: "K") { $0.ints([0, 0]) }
      },
      Row("124 too few axes", .badArrayState) {
        $0.buffer(shape: [2, 2], order: "K") { $0.ints([0]) }
      },
      Row("124 overflow behind axes", .sizeMismatch) {
        $0.buffer(shape: [1 << 40, 1 << 40], order: "K") { $0.ints([1, 0]) }
      },
      Row("124 buffer 1 short", .sizeMismatch) { $0.buffer(data: Array(sixteen.dropLast())) },
      Row("124 buffer 1 long", .sizeMismatch) { $0.buffer(data: sixteen + [0]) },
    ] + types + states + containers

  /// Element types that hold no plain numbers, by what is said of them.
  static let types: [Row] =
    ["V16", "U4", "S16", "M8", "m8", "f16", "c32", "f3", "x4", "", "<", "bfloat16"].map { type in
      Row("type '\(type)'", .unsupportedDtype) { $0.array(type: { $0.dtype(type) }) }
    } + [
      Row("type that is a class", .unsupportedDtype) {
        $0.array(type: {
          $0.global("numpy", "dtype").tuple { $0.global("ml", "bfloat16").op(0x89, 0x88) }.op("R")
        })
      },
      Row("records", .unsupportedDtype) {
        $0.array(type: { $0.dtype { $0.op("N").tuple { $0.text("x") }.op("}") } })
      },
      Row("subarray", .unsupportedDtype) {
        $0.array(type: { $0.dtype { $0.tuple { $0.dtype().ints([2]) }.op("NN") } })
      },
    ]

  static let states: [Row] = [
    Row("shell without a state", .badArrayState) { $0.shell() },
    Row("two states", .badArrayState) {
      $0.array().tuple { $0.int(1).ints([4]).dtype().op(0x89).bytes(sixteen) }.op("b")
    },
    Row("state that is a list", .badArrayState) { $0.shell().op("]b") },
    Row("state of four", .badArrayState) {
      $0.shell().tuple { $0.ints([4]).dtype().op(0x89).bytes(sixteen) }.op("b")
    },
    Row("subclass", .badArrayState) {
      $0.shell("memmap2").tuple { $0.int(1).ints([4]).dtype().op(0x89).bytes(sixteen) }.op("b")
    },
    Row("memory map", .forbiddenGlobal) { $0.shell("memmap") },
    Row("order that is None", .badArrayState) { $0.array(order: 0x4E) },
    Row("shape that is a number", .badArrayState) {
      $0.shell().tuple { $0.int(1).int(4).dtype().op(0x89).bytes(sixteen) }.op("b")
    },
    Row("shape of truth", .badArrayState) {
      $0.shell().tuple { $0.int(1).tuple { $0.op(0x88) }.dtype().op(0x89).bytes([1]) }.op("b")
    },
    Row("shape of 80-bit numbers", .badArrayState) {
      $0.shell().tuple {
        $0.int(1).tuple { PickleBuilder($0.bytes + TorchStreamBuilder.magicNumber) }
          .dtype().op(0x89).bytes([1])
      }.op("b")
    },
    Row("65 dimensions", .rankLimit) { $0.array(shape: Array(repeating: 1, count: 65)) },
    Row("data that are None", .badArrayState) { $0.array(data: { $0.op("N") }) },
    Row("type that is text", .badArrayState) { $0.array(type: { $0.text("<f4") }) },
    Row("scalar 1 short", .sizeMismatch) { $0.scalar([1, 2, 3]) },
    Row("scalar of two types", .badArrayState) {
      $0.global("numpy._core.multiarray", "scalar").tuple { $0.dtype().dtype().op("N") }.op("R")
    },
  ]

  static let containers: [Row] = [
    Row("no arrays", .noTensors) { $0.dict { $0.int(1) } },
    Row("text alone", .noTensors) { $0.scalar([65, 0, 0, 0], "U1") },
    Row("array in an object", .tensorInOpaqueObject) {
      $0.dict { $0.global("my", "Box").op(")").op(0x81).dict("w") { $0.array() }.op("b") }
    },
    Row("array in a set", .tensorInOpaqueObject) { $0.op(0x8F).op("(").array().op(0x90) },
    Row("unknown call", .forbiddenGlobal) {
      $0.dict { $0.array().op("s").text("b").global("my", "make").op(")R") }
    },
    Row("27 call of os.system", .forbiddenGlobal) { $0.global("os", "system").op(")R") },
    Row("storage of torch", .badPersistentId) { $0.dict { $0.tensor() } },
    Row("48 duplicate name", .duplicateName) {
      $0.dict { $0.array().op("s").text("a").array() }
    },
    Row("array as a key", .badDictKey) { $0.op("}").op("]").array().op("s") },
    Row("tuple as a key", .badDictKey) { $0.op("}").ints([1]).array().op("s") },
    Row("44 bytes behind", bytes: PickleBuilder().array().stop + [0], .trailingBytes),
    Row(
      "44 pickle behind", bytes: PickleBuilder().array().stop + PickleBuilder().op("N").stop,
      .trailingBytes),
    Row("46 text protocol", bytes: Array("(dp0\nVa\np1\nI1\ns.".utf8), .unsupportedProtocol0),
    Row("61 one content many times", bytes: shared(length: 1 << 20, count: 80), .expansionLimit),
    Row("long keys above many", bytes: longNames, .nameLimit),
  ]

  /// Characters given by their bytes, right or wrong.
  private static func text(_ pickle: PickleBuilder, _ utf8: [UInt8]) -> PickleBuilder {
    pickle.global("_codecs", "encode").tuple {
      PickleBuilder($0.bytes + [0x58] + PickleBuilder.u32(utf8.count) + utf8).text("latin1")
    }.op("R")
  }

  /// A list of arrays that all recall the same bytes.
  private static func shared(length: Int, count: Int) -> [UInt8] {
    var pickle = PickleBuilder().op("]").array(
      shape: [length], type: { $0.dtype("u1", order: "|") },
      data: { $0.bytes([UInt8](repeating: 7, count: length)).op(0x71, 1) }
    ).op("a")
    for _ in 1..<count {
      pickle =
        pickle.array(
          shape: [length], type: { $0.dtype("u1", order: "|") }, data: { $0.op(0x68, 1) }
        ).op("a")
    }
    return pickle.stop
  }

  /// A key of 60,000 bytes above 2,000 names of one array.
  private static let longNames: [UInt8] = {
    var pickle = PickleBuilder().op("}").text(String(repeating: "k", count: 60_000)).op("}")
      .text("0").array().op(0x71, 1).op("s")
    for index in 1..<2_000 { pickle = pickle.text("\(index)").op(0x68, 1).op("s") }
    return pickle.op("s").stop
  }()

  @Test(arguments: rows) func `a hostile pickle is refused by name`(row: Row) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(row.bytes, as: "hostile.pkl")
    let stopwatch = Stopwatch()
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == row.code, "\(error as Any)")
    #expect(error?.file == path)
    #expect(stopwatch.seconds < 2)
    #expect(try directory.entries() == ["hostile.pkl"])
  }

  // MARK: - What must not be refused

  /// Ways to write the same four floats.
  static let spellings: [(String, PickleBuilder)] = {
    let p = PickleBuilder()
    let state: (PickleBuilder) -> PickleBuilder = {
      $0.int(1).ints([4]).dtype().op(0x89).bytes(sixteen)
    }
    let text = String(String.UnicodeScalarView(sixteen.map(Unicode.Scalar.init)))
    return [
      ("numpy 2", p.array()), ("numpy 1", p.shell(core: "numpy.core").tuple(state).op("b")),
      ("buffer", p.buffer()), ("Fortran's buffer", p.buffer(order: "F")),
      ("axes", p.buffer(order: "K") { $0.ints([0]) }), ("Fortran order", p.array(order: 0x88)),
      (
        "an order that is a number",
        p.shell().tuple { $0.int(1).ints([4]).dtype().int(0).bytes(sixteen) }.op("b")
      ),
      ("native order", p.array(type: { $0.dtype(order: "=") })),
      ("no order", p.array(type: { $0.dtype(order: "|") })),
      ("a dtype without a state", p.array(type: { $0.bareDType("f4") })),
      ("a dtype with its order", p.array(type: { $0.bareDType("<f4") })),
      ("a dtype with its size", p.array(type: { $0.dtype(itemSize: 4) })),
      ("text", p.array(data: { $0.encoded(text) })),
      ("latin-1", p.array(data: { $0.encoded(text, as: "latin-1") })),
      ("text without encoding", p.array(data: { $0.text(text) })),
      ("bytes of Python 2", p.array(data: { PickleBuilder($0.bytes + [0x55, 16] + sixteen) })),
    ]
  }()

  @Test(arguments: spellings) func `every way to write an array is read`(
    name: String, pickle: PickleBuilder
  ) throws {
    let directory = try TemporaryDirectory()
    let checkpoint = try openCheckpoint(directory.write(pickle.stop, as: "good.pkl"))
    #expect(checkpoint.tensors.map(\.name) == ["array"])
    #expect(try checkpoint.bytes(of: 0) == Self.sixteen)
  }

  @Test func `a part is chosen by its keys`() throws {
    let directory = try TemporaryDirectory()
    let pickle = PickleBuilder().dict("a") { $0.dict("b.c") { $0.array() } }
    let checkpoint = try openCheckpoint(
      directory.write(pickle.stop, as: "a.pkl"), options: CheckpointOptions(key: "a.b.c"))
    #expect(checkpoint.tensors[0].name == "array")
    #expect(checkpoint.surroundings.wrapper == ["a", "b.c"])
  }

  @Test func `unknown objects beside arrays are named and left alone`() throws {
    let directory = try TemporaryDirectory()
    let pickle = PickleBuilder().dict {
      $0.array().op("s").text("box").global("my", "Box").op(")").op(0x81)
        .dict("spacing") { $0.scalar([0, 0, 128, 63]) }.op("b").op("s").text("label").scalar(
          [65, 0, 0, 0], "U1")
    }
    let checkpoint = try openCheckpoint(directory.write(pickle.stop, as: "a.pkl"))
    #expect(checkpoint.tensors.map(\.name) == ["a"])
    #expect(checkpoint.surroundings.inertObjects == ["my.Box"])
  }

  @Test func `a list that holds itself is told`() throws {
    let directory = try TemporaryDirectory()
    let pickle = PickleBuilder().op("]").op(0x71, 0).array().op("a").op(0x68, 0).op("a")
    let checkpoint = try openCheckpoint(directory.write(pickle.stop, as: "a.pkl"))
    #expect(checkpoint.tensors.map(\.name) == ["0"])
    #expect(checkpoint.notes.count == 1)
  }

  @Test func `shared content is allowed in proportion, and beyond it when asked`() throws {
    let directory = try TemporaryDirectory()
    let few = try directory.write(Self.shared(length: 1 << 10, count: 80), as: "few.pkl")
    #expect(try openCheckpoint(few).tensors.count == 80)
    let many = try directory.write(Self.shared(length: 1 << 20, count: 80), as: "many.pkl")
    let options = CheckpointOptions(allowsExpansion: true)
    #expect(try openCheckpoint(many, options: options).tensors.count == 80)
  }
}
