import Support

/// Storages, and the opcodes that are refused.
extension PickleMachine {
  /// BINPERSID takes `('storage', class, key, location, element count)` and nothing else.
  mutating func pushStorage() throws {
    let id = try pop()
    let parts = document.kind(id) == .tuple ? document.children(id) : []
    guard parts.count == 5 else {
      throw badID("five fields", "a \(document.kind(id)) of \(parts.count)")
    }
    guard document.string(parts[0]) == "storage" else { throw badID("'storage' first", "another") }
    guard let type = document.global(parts[1]) else {
      throw badID("a storage class", "a \(document.kind(parts[1]))")
    }
    guard let key = document.string(parts[2]) else {
      throw badID("a key in UTF-8", "a \(document.kind(parts[2]))")
    }
    guard document.kind(parts[3]) == .string || document.kind(parts[3]) == .none else {
      throw badID("a location", "a \(document.kind(parts[3]))")
    }
    guard document.kind(parts[4]) != .bigInteger else { throw limit(.integerTooLarge) }
    guard let count = document.integer(parts[4]), count >= 0 else {
      throw badID("an element count ≥ 0", describe(parts[4]))
    }
    try push(
      storage: PickleDocument.Storage(
        className: type.qualified, key: key, elementCount: count))
  }

  private mutating func push(storage: PickleDocument.Storage) throws {
    let key = TensorName(storage.key)
    if let index = storageIndices[key] {
      guard document.storages[Int(index)] == storage else {
        let first = document.storages[Int(index)]
        throw FormatError(
          .storageConflict, offset: opcodeOffset, subject: storage.key,
          expected: "\(first.className) of \(first.elementCount)",
          found: "\(storage.className) of \(storage.elementCount)")
      }
      return try push(.storage, Int64(index))
    }
    storageIndices[key] = Int32(document.storages.count)
    document.storages.append(storage)
    try push(.storage, Int64(document.storages.count - 1))
  }

  private func badID(_ expected: String, _ found: String) -> FormatError {
    FormatError(.badPersistentId, offset: opcodeOffset, expected: expected, found: found)
  }

  private func describe(_ id: ID) -> String {
    document.integer(id).map(String.init) ?? "a \(document.kind(id))"
  }

  /// Names what is wrong with an opcode outside the policy.
  mutating func runRefused(_ byte: UInt8) throws {
    if let name = PickleOpcode.forbidden[byte] {
      // On an empty stack the stream is not even well formed.
      if byte == 0x30 || byte == 0x32 { try require(1) }
      if byte == 0x31, marks.isEmpty { throw limit(.stackUnderflow) }
      throw FormatError(.forbiddenOpcode, offset: opcodeOffset, subject: name)
    }
    guard let text = PickleOpcode.text[byte] else {
      throw FormatError(
        .unknownOpcode, offset: opcodeOffset, found: "0x" + String(byte, radix: 16))
    }
    try skipText(text)
  }

  /// Reads over protocol 0, which is refused in the end, to find the attack that it may carry.
  private mutating func skipText(_ text: PickleOpcode.Text) throws {
    textOpcodeOffset = textOpcodeOffset ?? opcodeOffset
    switch text {
    case .pushLine, .putLine:
      while try cursor.u8() != UInt8(ascii: "\n") {}
      if text == .pushLine { stack.append(0) }
    case .list, .dict:
      _ = try popToMark()
      try pushContainer(text == .list ? .list : .dict, [])
    }
  }
}
