import TestSupport
import Testing

@testable import Formats

/// The rows of the bad-input table about `.npy` and `.npz` files (121 to 123).
@Suite("Hostile numpy files")
struct NpyRowTests {
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var bytes: [UInt8]
    var code: FormatError.Code

    init(_ name: String, bytes: [UInt8], _ code: FormatError.Code) {
      testDescription = name
      self.bytes = bytes
      self.code = code
    }

    init(_ name: String, _ npy: NpyBuilder, _ code: FormatError.Code) {
      self.init(name, bytes: npy.build(), code)
    }

    /// A header's text.
    init(_ name: String, text: String, _ code: FormatError.Code = .badNpyHeader) {
      self.init(name, NpyBuilder(text), code)
    }

    init(shape: String, _ code: FormatError.Code) {
      self.init("122 shape \(shape.prefix(40))", NpyBuilder(shape: shape), code)
    }

    init(type: String, _ code: FormatError.Code = .unsupportedDtype, shape: String = "(4,)") {
      self.init("122 type \(type.prefix(40))", NpyBuilder(descr: type, shape: shape), code)
    }

    /// An archive of one good array, changed.
    init(_ name: String, _ code: FormatError.Code, _ change: (inout ZipBuilder) -> Void) {
      var archive = NpyRowTests.archive
      change(&archive)
      self.init(name, bytes: archive.build(), code)
    }
  }

  static let good = NpyBuilder()
  static let archive = ZipBuilder([ZipBuilder.Record("a.npy", good.build())])

  static let rows: [Row] = headers + sizes + archives

  static let headers: [Row] = [
    Row("121 version 4", version([4, 0]), .badNpyHeader),
    Row("121 version 0", version([0, 0]), .badNpyHeader),
    Row("121 version 1.1", version([1, 1]), .badNpyHeader),
    Row("121 header of 65535", length(65_535, [1, 0]), .badNpyHeader),
    Row("121 header of 4 GiB", length(Int(UInt32.max), [2, 0]), .badNpyHeader),
    Row("121 header of 10001", length(10_001, [3, 0]), .badNpyHeader),
    Row("121 header past the end", length(9_999, [1, 0]), .truncated),
    Row("121 no text", text: ""),
    Row("121 list", text: "['descr', 'fortran_order', 'shape']"),
    Row("121 number", text: "1"),
    Row("121 expression", text: "__import__('os').system('id')"),
    Row("121 expression as a value", text: "{'descr': __import__('os'), 'shape': ()}"),
    Row("121 no descr", text: "{'fortran_order': False, 'shape': (4,), }"),
    Row("121 no order", text: "{'descr': '<f4', 'shape': (4,), }"),
    Row("121 no shape", text: "{'descr': '<f4', 'fortran_order': False, }"),
    Row("121 empty", text: "{}"),
    Row(
      "121 fourth key", text: "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'x': 1}"),
    Row(
      "121 key twice",
      text: "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'shape': (4,), }"),
    Row("121 open brace", text: "{'descr': '<f4', 'fortran_order': False, 'shape': (4,)"),
    Row("121 two commas", text: "{'descr': '<f4',, 'fortran_order': False, 'shape': (4,)}"),
    Row("121 no comma", text: "{'descr': '<f4' 'fortran_order': False, 'shape': (4,)}"),
    Row("121 no colon", text: "{'descr' '<f4', 'fortran_order': False, 'shape': (4,)}"),
    Row("121 open string", text: "{'descr"),
    Row("121 escape", text: "{'de\\x73cr': '<f4', 'fortran_order': False, 'shape': (4,)}"),
    Row("121 bytes behind", text: "{'descr': '<f4', 'fortran_order': False, 'shape': (4,)} 1"),
    Row("121 comment", text: "{'descr': '<f4', 'fortran_order': False, 'shape': (4,)} # x"),
    Row("121 order of 0", NpyBuilder(fortran: "0"), .badNpyHeader),
    Row("121 order of true", NpyBuilder(fortran: "true"), .badNpyHeader),
    Row("121 order with a tail", NpyBuilder(fortran: "Falsehood"), .badNpyHeader),
    Row("121 5000 parentheses", text: String(repeating: "(", count: 5_000)),
    Row(shape: String(repeating: "(", count: 5_000), .badShape),
    Row("121 zero byte", text: "{'descr': '<f4', 'fortran_order': False, 'shape': (4,)}\0"),
  ]

  static let sizes: [Row] = [
    Row(shape: "(1000000000000,)", .sizeMismatch),
    Row(shape: "(9223372036854775807, 2)", .overflow),
    Row(shape: "(4294967296, 4294967296)", .overflow),
    Row(shape: "(0, 9223372036854775807, 3)", .overflow),
    Row(shape: "(99999999999999999999999,)", .overflow),
    Row(shape: "(-4,)", .badShape), Row(shape: "(True,)", .badShape),
    Row(shape: "[4]", .badShape), Row(shape: "(4.0,)", .badShape), Row(shape: "(4)", .badShape),
    Row(shape: "(4,,)", .badShape), Row(shape: "(,)", .badShape), Row(shape: "(2 2)", .badShape),
    Row(shape: "(04,)", .badShape), Row(shape: "(0x4,)", .badShape), Row(shape: "4", .badShape),
    Row(shape: "((4,),)", .badShape), Row(shape: "(4LL,)", .badShape),
    Row(shape: "(\(String(repeating: "1, ", count: 65)))", .rankLimit),
    Row(type: "'|O'"), Row(type: "'|O8'"), Row(type: "'<U4'"), Row(type: "'<M8[ns]'"),
    Row(type: "'<f16'"), Row(type: "'<c32'"), Row(type: "'|V2'"), Row(type: "'float32'"),
    Row(type: "''"), Row(type: "'|S0'", shape: "(1000000000000,)"),
    Row(type: "[('x', '<f4')]"), Row(type: "('<f4', (2,))"), Row(type: "{'names': ['x']}"),
    Row(type: "4", .badNpyHeader),
    Row("123 short by 1", data(Array(good.data.dropLast())), .sizeMismatch),
    Row("123 long by 1", data(good.data + [0]), .trailingBytes),
    Row("123 no data", data([]), .sizeMismatch),
  ]

  static let archives: [Row] = [
    Row("123 member short by 1", .sizeMismatch) {
      $0.records[0].content = data(Array(good.data.dropLast())).build()
    },
    Row("123 member long by 1", .trailingBytes) {
      $0.records[0].content = data(good.data + [0]).build()
    },
    Row("123 deflated member short by 1", .sizeMismatch) {
      $0.records[0].content = data(Array(good.data.dropLast())).build()
      $0.records[0].method = 8
    },
    Row("123 object member", .unsupportedDtype) {
      $0.records[0].content = NpyBuilder(descr: "'|O'", shape: "()").build()
    },
    Row("123 pickle as a member", .unsupportedContainer) {
      $0.records[0].content = PickleBuilder().array().stop
    },
    Row("123 text as a member", .badMagic) { $0.records[0].content = Array("#!/bin/sh".utf8) },
    Row("123 empty member", .truncated) { $0.records[0].content = [] },
    Row("123 bomb", .expansionLimit) {
      let zeros = [UInt8](repeating: 0, count: 80 << 20)
      $0.records[0].content = NpyBuilder(descr: "'|u1'", shape: "(\(zeros.count),)", data: zeros)
        .build()
      $0.records[0].method = 8
    },
    Row("123 40 GB out of nothing", .inflateSizeMismatch) {
      $0.records[0].method = 8
      $0.records[0].size = 4_000_000_000
    },
    Row("123 member of another kind", .zipMixedRoot) {
      $0.records.append(ZipBuilder.Record("readme.txt", "x"))
    },
    Row("90 wrong checksum", .crcMismatch) { $0.records[0].crc = 7 },
    Row("91 name twice", .zipDuplicate) { $0.records.append($0.records[0]) },
    Row("92 parent component", .zipBadName) { $0.records[0].name = "../a.npy" },
    Row("92 name beyond ASCII without its mark", .zipBadName) {
      $0.records[0].name = "größe.npy"
    },
    Row("102 directory", .zipNotRegular) { $0.records[0].attributes = 0x10 },
    Row("102 link", .zipNotRegular) {
      $0.records[0].madeBy = 3 << 8
      $0.records[0].attributes = 0xA1FF << 16
    },
  ]

  private static func version(_ version: [UInt8]) -> NpyBuilder {
    var npy = good
    npy.version = version
    return npy
  }

  private static func length(_ length: Int, _ version: [UInt8]) -> NpyBuilder {
    var npy = Self.version(version)
    npy.length = length
    return npy
  }

  private static func data(_ data: [UInt8]) -> NpyBuilder { NpyBuilder(data: data) }

  @Test(arguments: rows) func `a hostile file is refused by name`(row: Row) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(row.bytes, as: "hostile")
    let stopwatch = Stopwatch()
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == row.code, "\(error as Any)")
    #expect(error?.file == path)
    #expect(stopwatch.seconds < 2)
    #expect(try directory.entries() == ["hostile"])
  }

  // MARK: - What must not be refused

  /// Headers that numpy reads too.
  @Test(arguments: [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }\n",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (4,)}",
    "  {'shape': (4L,), 'fortran_order': False, 'descr': '<f4', }   \n",
    "{\"descr\": \"<f4\", \"fortran_order\": True, \"shape\": (4,)}\n",
    "{'descr':'f4','fortran_order':False,'shape':(4,)}\n",
    "{'descr': '=f4', 'fortran_order': False, 'shape': ( 2 , 2 , ), }\n",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 1L, 2L), }\n",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4), }"
      + String(repeating: " ", count: 9),
  ])
  func `what the format allows is read`(text: String) throws {
    for version in [[1, 0], [2, 0], [3, 0]] as [[UInt8]] {
      let directory = try TemporaryDirectory()
      var npy = NpyBuilder(text)
      npy.version = version
      let checkpoint = try openCheckpoint(directory.write(npy.build(), as: "good.npy"))
      #expect(checkpoint.container == .npy)
      #expect(checkpoint.tensors.map(\.name) == ["array"])
      #expect(try checkpoint.bytes(of: 0) == [UInt8](1...16))
    }
  }

  @Test func `the archive that the others spoil is good`() throws {
    let directory = try TemporaryDirectory()
    let checkpoint = try openCheckpoint(directory.write(Self.archive.build(), as: "good.npz"))
    #expect(checkpoint.container == .npz)
    #expect(checkpoint.tensors.map(\.name) == ["a"])
    #expect(try checkpoint.bytes(of: 0) == [UInt8](1...16))
  }

  @Test func `folders and marked names are part of a tensor's name`() throws {
    let directory = try TemporaryDirectory()
    var archive = Self.archive
    archive.records[0].name = "block/größe.npy"
    archive.records[0].flags = 0x800
    let checkpoint = try openCheckpoint(directory.write(archive.build(), as: "good.npz"))
    #expect(checkpoint.tensors.map(\.name) == ["block/größe"])
  }

  @Test func `a checksum is compared when the array is read, unless told not to`() throws {
    let directory = try TemporaryDirectory()
    let data = [UInt8](repeating: 5, count: 40_000)
    let npy = NpyBuilder(descr: "'|u1'", shape: "(40000,)", data: data)
    var archive = ZipBuilder([ZipBuilder.Record("a.npy", npy.build())])
    archive.records[0].crc = 7
    for method in [0, 8] as [UInt16] {
      archive.records[0].method = method
      let path = try directory.write(archive.build(), as: "a.npz")
      let checkpoint = try openCheckpoint(path)
      let error = #expect(throws: FormatError.self) { try checkpoint.tensorDigests() }
      #expect(error?.code == .crcMismatch)
      let lenient = try openCheckpoint(path, options: CheckpointOptions(checksCRC: false))
      #expect(try lenient.bytes(of: 0) == data)
    }
  }

  @Test func `flat containers have no parts to choose`() throws {
    for name in ["npy/bool.npy", "npz/stored.npz", "sharded/model.safetensors.index.json"] {
      let error = #expect(throws: FormatError.self) {
        try openCheckpoint(Fixtures.path(name), options: CheckpointOptions(key: "a"))
      }
      #expect(error?.code == .keyNotFound)
    }
  }
}
