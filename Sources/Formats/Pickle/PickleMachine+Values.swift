/// Scalars, strings and the memo.
extension PickleMachine {
  mutating func pushScalar(_ opcode: PickleOpcode) throws {
    switch opcode {
    case .none: stack.append(0)
    case .newFalse: stack.append(1)
    case .newTrue: stack.append(2)
    case .binInt: try push(.integer, Int64(try cursor.i32()))
    case .binInt1: try push(.integer, Int64(try cursor.u8()))
    case .binInt2: try push(.integer, Int64(try cursor.u16()))
    case .long1: try pushLong(Int(try cursor.u8()), .integerTooLarge)
    case .long4: try pushLong(Int(try cursor.i32()), .badLength)
    default: try push(.float, Int64(bitPattern: try cursor.u64().byteSwapped))
    }
  }

  /// A two's complement integer of any length; beyond 64 bits its value is not kept.
  private mutating func pushLong(_ count: Int, _ code: FormatError.Code) throws {
    guard count >= 0, count <= Budgets.integerBytes else {
      throw FormatError(
        code, offset: opcodeOffset, expected: "at most \(Budgets.integerBytes) bytes",
        found: "\(count)")
    }
    let digits = Array(try cursor.slice(count))
    let isNegative = digits.last.map { $0 >= 0x80 } ?? false
    let fill: UInt8 = isNegative ? 0xFF : 0
    let extended = digits + Array(repeating: fill, count: max(0, 8 - digits.count))
    let low = extended.prefix(8).reversed().reduce(Int64(0)) { $0 << 8 | Int64($1) }
    let fits = extended.dropFirst(8).allSatisfy { $0 == fill } && (low < 0) == isNegative
    try push(fits ? .integer : .bigInteger, low)
  }

  mutating func pushText(_ opcode: PickleOpcode) throws {
    let count: Int
    switch opcode {
    case .shortBinUnicode, .shortBinString, .shortBinBytes: count = Int(try cursor.u8())
    case .binUnicode, .binBytes: count = Int(try cursor.u32())
    case .binString: count = Int(try cursor.i32())
    default: count = try cursor.length64(.lengthBeyondInput)
    }
    guard count >= 0 else {
      throw FormatError(.badLength, offset: opcodeOffset, expected: "≥ 0", found: "\(count)")
    }
    // What is longer than all of the input is a lie; what is merely cut off is incomplete.
    try cursor.require(count, orThrow: count > cursor.size ? .lengthBeyondInput : .truncated)
    let isBytes = [.shortBinBytes, .binBytes, .binBytes8, .byteArray8].contains(opcode)
    var node = PickleDocument.Node(
      kind: isBytes ? .bytes : .string, payload: PickleDocument.Node.packed(-1, 0))
    node.isByteString = opcode == .shortBinString || opcode == .binString
    node.tail = Int32(document.spans.count)
    document.spans.append(cursor.offset..<cursor.offset + count)
    if isBytes || count > Budgets.pickleStringBytes {
      try cursor.skip(count)
    } else {
      let start = document.strings.count
      guard start + count <= Budgets.pickleBytes else { throw limit(.sizeLimit) }
      document.strings += try cursor.slice(count)
      node.payload = PickleDocument.Node.packed(start, document.strings.count)
    }
    stack.append(try add(node))
  }

  mutating func useMemo(_ opcode: PickleOpcode) throws {
    switch opcode {
    case .binPut: try remember(UInt32(try cursor.u8()))
    case .longBinPut: try remember(try cursor.u32())
    case .memoize: try remember(UInt32(memo.count))
    case .binGet: stack.append(try memo.get(UInt32(try cursor.u8())))
    default: stack.append(try memo.get(try cursor.u32()))
    }
  }

  private mutating func remember(_ index: UInt32) throws {
    try require(1)
    try memo.set(index, stack[stack.count - 1])
  }

  // MARK: - The stack

  mutating func push(_ kind: PickleDocument.Kind, _ payload: Int64 = 0) throws {
    stack.append(try add(PickleDocument.Node(kind: kind, payload: payload)))
  }

  mutating func add(_ node: PickleDocument.Node) throws -> ID {
    guard document.nodes.count < Budgets.pickleNodes else { throw limit(.nodeLimit) }
    document.nodes.append(node)
    return ID(document.nodes.count - 1)
  }

  /// Checks that `count` values lie above the last mark.
  mutating func require(_ count: Int) throws {
    let found = stack.count - (marks.last ?? 0)
    guard found < count else { return }
    throw FormatError(
      stack.count >= count ? .markMismatch : .stackUnderflow, offset: opcodeOffset,
      expected: "\(count) on the stack", found: "\(found)")
  }

  mutating func pop() throws -> ID {
    try require(1)
    return stack.removeLast()
  }

  /// The values above the last mark, which goes too.
  mutating func popToMark() throws -> [ID] {
    guard let mark = marks.popLast() else {
      throw FormatError(.stackUnderflow, offset: opcodeOffset, expected: "a mark on the stack")
    }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }
}
