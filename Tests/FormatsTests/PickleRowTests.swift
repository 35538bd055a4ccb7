import TestSupport
import Testing

@testable import Formats

/// The rows of the bad-input table that a pickle alone can show; each is named by its number.
@Suite("Hostile pickles")
struct PickleRowTests {
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var bytes: [UInt8]
    var code: FormatError.Code

    init(_ name: String, _ bytes: [UInt8], _ code: FormatError.Code) {
      testDescription = name
      self.bytes = bytes
      self.code = code
    }

    init(_ name: String, _ text: String, _ code: FormatError.Code) {
      self.init(name, Array(text.utf8), code)
    }
  }

  static let p = PickleBuilder()

  static let streams: [Row] =
    [
      Row("1 empty", [], .truncated),
      Row("2 no STOP", [0x80, 2, 0x4E], .truncated),
      Row("6 unknown opcode", [0x80, 2, 0xFF, 0x2E], .unknownOpcode),
      Row("7 protocol 255", [0x80, 0xFF], .badProtocol),
      Row("7 second PROTO", [0x80, 2, 0x4E, 0x80, 2], .badProtocol),
      Row("8 4 GiB string", [0x80, 2, 0x58, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0], .lengthBeyondInput),
      Row("9 2^63 bytes", [0x80, 4, 0x8E, 0, 0, 0, 0, 0, 0, 0, 0x80], .lengthBeyondInput),
      Row(
        "9 2^64-1 text", [0x80, 4, 0x8D] + [UInt8](repeating: 0xFF, count: 8), .lengthBeyondInput),
      Row("10 negative LONG4", [0x8B, 0xFF, 0xFF, 0xFF, 0xFF], .badLength),
      Row("10 huge LONG4", [0x8B, 0, 0, 0, 0x7F], .badLength),
      Row("11 LONG1 of 255", [0x8A, 255] + [UInt8](repeating: 1, count: 255), .integerTooLarge),
      Row("13 missing memo", [0x68, 3, 0x2E], .memoMissing),
      Row("16 DUP", p.op("]").op("2").stop, .forbiddenOpcode),
      Row("18 deep marks", [UInt8](repeating: 0x28, count: 200_000), .markLimit),
      Row("17 deep tuple", [0x4E] + [UInt8](repeating: 0x85, count: 1_000_000), .depthLimit),
      Row(
        "19 deep list",
        String(repeating: "]", count: 1_000) + String(repeating: "a", count: 999) + ".", .depthLimit
      ),
      Row(
        "19 deep dictionary",
        String(repeating: "}N", count: 1_000) + "N" + String(repeating: "s", count: 1_000) + ".",
        .depthLimit),
      Row("21 dict as key", "}}Ns.", .badDictKey),
      Row("22 odd SETITEMS", "}(Nu.", .oddItemCount),
      Row("23 SETITEM on a tensor", p.tensor().text("a").op("Ns").stop, .badTarget),
      Row("23 SETITEM on a storage", p.storage().text("a").op("Ns").stop, .badTarget),
      Row("24 APPEND to a dict", "}Na.", .badTarget),
      Row("24 APPEND to a tuple", ")Na.", .badTarget),
      Row("24 APPEND to None", "NNa.", .badTarget),
      Row("25 BUILD on an int", "K\u{1}}b.", .badTarget),
      Row("25 BUILD on a list", "]}b.", .badTarget),
      Row("25 BUILD on a class", p.global("a", "B").op("}b").stop, .badTarget),
      Row(
        "26 shell tensor", p.global("torch", "FloatStorage").op(")").op(0x81).stop,
        .uninitialisedObject),
      Row(
        "27 os.system", p.global("os", "system").op("(").text("id").op("tR").stop, .forbiddenGlobal),
      Row("27 posix.system", p.global("posix", "system").stop, .forbiddenGlobal),
      Row(
        "32 memoised names",
        p.text("os").op(0x71, 0).text("system").op(0x71, 1).op("l").bytes.dropLast()
          + [0x68, 0, 0x68, 1, 0x93, 0x2E], .forbiddenGlobal),
      Row("33 STACK_GLOBAL of ints", [0x80, 4, 0x4B, 1, 0x4B, 2, 0x93], .badOperand),
      Row(
        "34 dotted walk",
        p.text("collections").text("OrderedDict.__init__.__globals__").op(0x93).stop,
        .forbiddenGlobal),
      Row("35 carriage return", "cmod\r\nF8\r\n.", .badGlobalName),
      Row("35 spaces", "c mod \n F8 \n.", .badGlobalName),
      Row("35 zero byte", "cmo\u{0}d\nF8\n.", .badGlobalName),
      Row("35 no UTF-8", [0x63, 0x6D, 0xFF, 0x0A, 0x46, 0x0A, 0x2E], .badGlobalName),
      Row("35 endless line", "c" + String(repeating: "a", count: 4000), .lineTooLong),
      Row(
        "36 dot above", p.global("collecti\u{307}ons", "OrderedDict").op(")R").stop,
        .forbiddenGlobal),
      Row(
        "36 homoglyph", p.global("c\u{43E}llections", "OrderedDict").op(")R").stop, .forbiddenGlobal
      ),
      Row("37 INST", "(S'x'\ni__builtin__\nexec\n.", .forbiddenOpcode),
      Row("37 OBJ", p.op("(").global("a", "B").op("o").stop, .forbiddenOpcode),
      Row("38 OBJ and POP", p.op("(").global("a", "B").op("o0N").stop, .forbiddenOpcode),
      Row("39 EXT1", [0x80, 2, 0x82, 1, 0x2E], .forbiddenOpcode),
      Row("39 EXT2", [0x80, 2, 0x83, 1, 0, 0x2E], .forbiddenOpcode),
      Row("39 EXT4", [0x80, 2, 0x84, 1, 0, 0, 0, 0x2E], .forbiddenOpcode),
      Row("40 PERSID", "Pfoo\n.", .forbiddenOpcode),
      Row("40 id of a string", p.text("x").op("Q").stop, .badPersistentId),
      Row("40 id of an empty tuple", p.op(")Q").stop, .badPersistentId),
      Row("40 id of a list", p.op("]Q").stop, .badPersistentId),
      Row("40 module id", p.tuple { $0.text("module").op("NNNN") }.op("Q").stop, .badPersistentId),
      Row(
        "41 four fields", p.tuple { $0.text("storage").op("NNN") }.op("Q").stop, .badPersistentId),
      Row("41 negative count", p.storage(count: -1).stop, .badPersistentId),
      Row("41 seven fields", p.storage { $0.op("NN") }.stop, .badPersistentId),
      Row(
        "41 a hundred fields", p.storage { $0.op(String(repeating: "N", count: 95)) }.stop,
        .badPersistentId),
      Row("41 count as text", p.storageCounted { $0.text("4") }.stop, .badPersistentId),
      Row("41 count as truth", p.storageCounted { $0.op(0x88) }.stop, .badPersistentId),
      Row(
        "41 count as a fraction",
        p.storageCounted { $0.op(0x47, 0x40, 0x10, 0, 0, 0, 0, 0, 0) }.stop,
        .badPersistentId),
      Row(
        "42 frame in a frame",
        [0x80, 4, 0x95, 12, 0, 0, 0, 0, 0, 0, 0, 0x95, 1, 0, 0, 0, 0, 0, 0, 0, 0x4E, 0x2E, 0x2E],
        .badFrame),
      Row(
        "43 frame beyond input", [0x80, 4, 0x95, 99, 0, 0, 0, 0, 0, 0, 0, 0x4E, 0x2E], .badFrame),
      Row(
        "43 frame of 2^63", [0x80, 4, 0x95, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x4E, 0x2E], .badFrame),
      Row("44 second pickle", [0x80, 2, 0x4E, 0x2E, 0x80, 2, 0x4E, 0x2E], .trailingBytes),
      Row("45 broken after payload", p.global("posix", "system").op(0xFF).bytes, .forbiddenGlobal),
      Row("46 text protocol", "(dp0\nVa\np1\nI1\ns.", .unsupportedProtocol0),
      Row("50 too many opcodes", memoFlood(0x71, 5_000_001), .opcodeLimit),
      Row("14 memo flood", memoFlood(0x94, 1_100_000), .memoLimit),
      Row("74 unknown call", p.global("builtins", "print").op(")R").stop, .forbiddenGlobal),
    ] + straddles

  /// Opcodes that begin in a frame and end behind it.
  private static let straddles: [Row] = [
    ("bytes", [0x42, 1, 0, 0, 0, 0]), ("short bytes", [0x43, 1, 0]),
    ("text", [0x58, 1, 0, 0, 0, 0x61]),
    ("short text", [0x8C, 1, 0x61]), ("integer", [0x4A, 1, 0, 0, 0]), ("long", [0x8A, 1, 1]),
    ("fraction", [0x47, 0, 0, 0, 0, 0, 0, 0, 0]), ("global", Array("ctorch\nSize\n".utf8)),
  ].map { name, opcode in
    Row(
      "42 \(name) across a frame's end",
      [0x80, 4, 0x95, 2, 0, 0, 0, 0, 0, 0, 0, 0x4E] + opcode + [0x86, 0x2E], .badFrame)
  }

  private static func memoFlood(_ opcode: UInt8, _ count: Int) -> [UInt8] {
    let unit: [UInt8] = opcode == 0x71 ? [0x71, 0] : [opcode]
    return [0x4E] + Array(repeatElement(unit, count: count).joined())
  }

  @Test(arguments: streams) func `a hostile stream is refused by name`(row: Row) {
    let stopwatch = Stopwatch()
    let error = #expect(throws: FormatError.self) { try PickleMachine.parse(row.bytes) }
    #expect(error?.code == row.code)
    #expect(error?.offset != nil)
    #expect(stopwatch.seconds < 2)
  }

  // MARK: - What must not be refused

  @Test func `a huge memo index is kept sparsely (12)`() throws {
    #expect(try PickleMachine.parse([0x4E, 0x72, 0xFF, 0xFF, 0xFF, 0xFF, 0x2E]).root == 0)
  }

  @Test func `doubling by memo stays linear (15)`() throws {
    var bytes: [UInt8] = [0x80, 2, 0x29, 0x71, 0]
    for _ in 0..<40 { bytes += [0x68, 0, 0x68, 0, 0x86, 0x71, 0] }
    let document = try PickleMachine.parse(bytes + stopAfterPops(40))
    #expect(document.nodes.count < 200)
  }

  /// Wraps what is left on the stack into one tuple, since POP is not allowed.
  private func stopAfterPops(_ count: Int) -> [UInt8] {
    Array(repeatElement(0x86, count: count)) + [0x2E]
  }

  @Test func `a list or dictionary that holds itself is legal (20)`() throws {
    let list = try PickleMachine.parse([0x5D, 0x71, 0, 0x68, 0, 0x61, 0x2E])
    #expect(list.children(list.root) == [list.root])
    let dictionary = try PickleMachine.parse([0x7D, 0x71, 0, 0x4E, 0x68, 0, 0x73, 0x2E])
    #expect(dictionary.children(dictionary.root).contains(dictionary.root))
  }

  @Test func `instances of unknown classes stay inert`() throws {
    let stream = Self.p.global("project.config", "Config").op(")").op(0x81).op("}b").stop
    #expect(try PickleMachine.parse(stream).inertNames == ["project.config.Config"])
  }

  @Test func `unknown calls are inert when asked for`() throws {
    let stream = Self.p.global("project", "make").op(")R").stop
    #expect(throws: FormatError.self) { try PickleMachine.parse(stream) }
    #expect(
      try PickleMachine.parse(stream, options: .init(skipsUnknownCalls: true)).inertNames
        == ["project.make"])
  }

  @Test func `pickles inside bytes are never looked at (51)`() throws {
    let inner = Self.p.global("os", "system").stop
    let document = try PickleMachine.parse([0x80, 4, 0x43, UInt8(inner.count)] + inner + [0x2E])
    #expect(document.kind(document.root) == .bytes)
  }
}
