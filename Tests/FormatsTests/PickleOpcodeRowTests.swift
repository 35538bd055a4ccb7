import TestSupport
import Testing

@testable import Formats

/// The rows of the bad-input table about opcodes that lack what they need (3 to 5).
@Suite("Pickle opcodes without what they need")
struct PickleOpcodeRowTests {
  typealias Row = PickleRowTests.Row

  static let rows = cuts + shortStacks + marks

  /// Every opcode with an argument, cut at every place inside it.
  private static let whole: [[UInt8]] = [
    [0x42, 3, 0, 0, 0, 1, 2, 3], [0x43, 2, 1, 2], [0x47, 1, 2, 3, 4, 5, 6, 7, 8],
    [0x4A, 1, 2, 3, 4], [0x4B, 1], [0x4D, 1, 2], [0x54, 2, 0, 0, 0, 1, 2], [0x55, 2, 1, 2],
    [0x58, 3, 0, 0, 0, 0x61, 0x62, 0x63], [0x63, 0x61, 0x0A, 0x62, 0x0A], [0x68, 1],
    [0x6A, 1, 0, 0, 0], [0x71, 1], [0x72, 1, 0, 0, 0], [0x8A, 2, 1, 2], [0x8B, 2, 0, 0, 0, 1, 2],
    [0x8C, 2, 0x61, 0x62], [0x8D, 2, 0, 0, 0, 0, 0, 0, 0, 0x61, 0x62],
    [0x8E, 2, 0, 0, 0, 0, 0, 0, 0, 1, 2], [0x96, 2, 0, 0, 0, 0, 0, 0, 0, 1, 2],
    [0x95, 2, 0, 0, 0, 0, 0, 0, 0], [0x80, 2],
  ]

  static let cuts: [Row] = whole.flatMap { bytes in
    (1..<bytes.count).map { cut(bytes, to: $0) }
  }

  private static func cut(_ bytes: [UInt8], to count: Int) -> Row {
    let name = String(bytes[0], radix: 16, uppercase: true)
    let start: [UInt8] = bytes[0] == 0x80 ? [] : [0x80, 4, 0x4E]
    return Row("3 opcode \(name) cut to \(count)", start + bytes.prefix(count), .truncated)
  }

  private static let needs: [(opcode: [UInt8], count: Int)] = [
    ([0x2E], 1), ([0x30], 1), ([0x32], 1), ([0x52], 2), ([0x61], 2), ([0x62], 2), ([0x73], 3),
    ([0x71, 0], 1), ([0x72, 0, 0, 0, 0], 1), ([0x51], 1), ([0x81], 2), ([0x85], 1), ([0x86], 2),
    ([0x87], 3), ([0x93], 2), ([0x94], 1),
  ]

  /// Opcodes and how many values they take, each on every stack that is too short; then those that
  /// need a mark, or a container below it.
  static let shortStacks: [Row] =
    needs.flatMap { opcode, count in
      (0..<count).map { short(opcode, String(repeating: "N", count: $0)) }
    }
    + ([0x31, 0x65, 0x74, 0x75, 0x90, 0x91] as [UInt8]).map { short([$0], "") }
    + ([0x65, 0x75, 0x90] as [UInt8]).map { short([$0], "(") }

  private static func short(_ opcode: [UInt8], _ stack: String) -> Row {
    let name = String(opcode[0], radix: 16, uppercase: true)
    return Row("4 opcode \(name) on '\(stack)'", [0x80, 4] + stack.utf8 + opcode, .stackUnderflow)
  }

  private static let dictionary = "ccollections\nOrderedDict\n"
  private static let name: [UInt8] = [0x58, 1, 0, 0, 0, 0x61]

  private static let texts = [
    "N(.", "N(q\u{0}", "N(r\u{0}\u{0}\u{0}\u{0}", "]N(a", "](Na", "}NN(s", "}N(Ns", "}(NNs", "}((u",
    "N(Q", "\(dictionary))(R", "\(dictionary)()R", "\(dictionary))R}(b", "\(dictionary))R(}b",
  ]

  private static let endings: [(stack: String, opcode: UInt8)] = [
    ("N(", 0x85), ("NN(", 0x86), ("N(N", 0x86), ("NNN(", 0x87), ("NN(N", 0x87), ("N(NN", 0x87),
    ("N(", 0x94), ("\(dictionary))(", 0x81), ("\(dictionary)()", 0x81),
  ]

  /// A mark where a value was meant.
  static let marks: [Row] =
    texts.map { mark(Array($0.utf8)) } + endings.map { mark(Array($0.stack.utf8) + [$0.opcode]) }
    + [mark(name + [0x28] + name + [0x93]), mark(name + name + [0x28, 0x93])]

  private static func mark(_ bytes: [UInt8]) -> Row {
    Row("5 mark in \(bytes)", [0x80, 4] + bytes, .markMismatch)
  }

  @Test(arguments: rows) func `an opcode says what it lacks`(row: Row) {
    let error = #expect(throws: FormatError.self) { try PickleMachine.parse(row.bytes) }
    #expect(error?.code == row.code)
    #expect(error?.offset != nil)
  }
}
