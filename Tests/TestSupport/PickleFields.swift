/// The numbers of sound pickles: lengths, indices and values, whatever an opcode carries.
public enum PickleFields {
  /// Opcodes with a number that stands for itself, and its width.
  private static let numbers: [UInt8: Int] = [
    0x80: 1, 0x4B: 1, 0x71: 1, 0x68: 1, 0x4D: 2, 0x4A: 4, 0x72: 4, 0x6A: 4, 0x95: 8,
  ]
  /// Opcodes with a length and so many bytes, and the length's width.
  private static let lengths: [UInt8: Int] = [
    0x55: 1, 0x43: 1, 0x8C: 1, 0x8A: 1, 0x54: 4, 0x58: 4, 0x42: 4, 0x8B: 4, 0x8D: 8, 0x8E: 8,
    0x96: 8,
  ]
  private static let long: Set<UInt8> = [0x8A, 0x8B]
  private static let (stop, global, fraction) = (0x2E as UInt8, 0x63 as UInt8, 0x47 as UInt8)

  public static func fields(of pickle: [UInt8]) -> [IntegerField] {
    var walker = FieldWalker(pickle)
    walk(&walker)
    return walker.fields
  }

  /// Notes the numbers of one pickle and stops behind it.
  public static func walk(_ walker: inout FieldWalker) {
    while true {
      let opcode = walker.bytes[walker.place]
      let name = "argument of \(String(opcode, radix: 16, uppercase: true))"
      walker.skip(1)
      if opcode == stop { return }
      if let width = numbers[opcode] {
        walker.field(name, width)
      } else if let width = lengths[opcode] {
        payload(&walker, opcode, walker.field("length, \(name)", width), name)
      } else if opcode == fraction {
        walker.skip(8)
      } else if opcode == global {
        for _ in 0..<2 { skipLine(&walker) }
      }
    }
  }

  private static func payload(
    _ walker: inout FieldWalker, _ opcode: UInt8, _ count: Int, _ name: String
  ) {
    if long.contains(opcode), (1...8).contains(count) {
      walker.field(name, count)
    } else {
      walker.skip(count)
    }
  }

  private static func skipLine(_ walker: inout FieldWalker) {
    while walker.bytes[walker.place] != 0x0A { walker.skip(1) }
    walker.skip(1)
  }
}
