import Support

/// Storages, and the opcodes that are refused.
extension PickleMachine {
  /// BINPERSID takes `('storage', class, key, location, element count)`, in old streams with a
  /// sixth field, and nothing else.
  mutating func pushStorage() throws {
    let id = try pop()
    if options.listsGlobalsOnly { return try pushListed(id) }
    let parts = document.kind(id) == .tuple ? document.arguments(id) : []
    try checkFields(parts, document.kind(id))
    guard let type = document.global(parts[1]) else {
      throw badID("a storage class", "a \(document.kind(parts[1]))")
    }
    guard let key = document.string(parts[2]) else {
      throw badID("a key in UTF-8", "a \(document.kind(parts[2]))")
    }
    guard document.kind(parts[3]) == .string || document.kind(parts[3]) == .none else {
      throw badID("a location", "a \(document.kind(parts[3]))")
    }
    let whole = PickleDocument.Storage(
      className: type.qualified, key: key, elementCount: try elementCount(parts[4]))
    let index = try register(whole, as: key)
    guard parts.count > 5, document.kind(parts[5]) != .none else {
      return try push(.storage, Int64(index))
    }
    let part = try part(parts[5], of: whole)
    var storage = whole
    storage.part = part
    try push(.storage, Int64(try register(storage, as: part.key)))
  }

  private func checkFields(_ parts: [ID], _ kind: PickleDocument.Kind) throws {
    let count = options.persistentIDs == .stream ? 6 : 5
    guard options.persistentIDs != .none else {
      throw FormatError(
        .badPersistentId, offset: opcodeOffset, expected: "a pickle that stands alone",
        found: "a reference to a storage",
        remedy: "this looks like data.pkl out of a torch archive: give wt the archive itself")
    }
    if options.persistentIDs == .stream, parts.first.flatMap(document.string) == "module" {
      throw FormatError(
        .badPersistentId, offset: opcodeOffset, expected: "a storage",
        found: "the class of a whole model that was saved as an object",
        remedy: "load it in Python and save model.state_dict() instead")
    }
    guard parts.count == count else {
      throw badID("\(count) fields", "a \(kind) of \(parts.count)")
    }
    guard document.string(parts[0]) == "storage" else { throw badID("'storage' first", "another") }
  }

  /// What stands in for a persistent value when only names are asked for.
  private mutating func pushListed(_ id: ID) throws {
    let parts = document.kind(id) == .tuple ? document.arguments(id) : []
    stack.append(parts.count > 1 && document.string(parts[0]) == "module" ? parts[1] : 0)
  }

  private func elementCount(_ id: ID) throws -> Int {
    guard document.kind(id) != .bigInteger else { throw limit(.integerTooLarge) }
    guard let count = document.integer(id), count >= 0 else {
      throw badID("an element count ≥ 0", describe(id))
    }
    return count
  }

  /// `(key, offset, element count)` of a stretch of another storage.
  private func part(_ id: ID, of storage: PickleDocument.Storage) throws -> PickleDocument.Part {
    let fields = document.kind(id) == .tuple ? document.arguments(id) : []
    guard fields.count == 3, let key = document.string(fields[0]) else {
      throw badID("a view's key, offset and size", "a \(document.kind(id)) of \(fields.count)")
    }
    let (offset, count) = (try elementCount(fields[1]), try elementCount(fields[2]))
    guard offset <= storage.elementCount, count <= storage.elementCount - offset else {
      throw FormatError(
        .viewOutOfBounds, offset: opcodeOffset, subject: key,
        expected: "a part of \(storage.elementCount) elements",
        found: "\(count) from \(offset)")
    }
    return PickleDocument.Part(key: key, range: offset..<offset + count)
  }

  /// The place of a storage, which a key must always describe in the same way.
  private mutating func register(
    _ storage: PickleDocument.Storage, as key: String
  ) throws -> Int32 {
    let key = TensorName(key)
    if let index = storageIndices[key] {
      let first = document.storages[Int(index)]
      guard first == storage else {
        throw FormatError(
          .storageConflict, offset: opcodeOffset, subject: storage.key,
          expected: "\(first.className) of \(first.elementCount)",
          found: "\(storage.className) of \(storage.elementCount)")
      }
      return index
    }
    let index = Int32(document.storages.count)
    storageIndices[key] = index
    document.storages.append(storage)
    return index
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
      let lineStart = cursor.offset
      while try cursor.u8() != UInt8(ascii: "\n") {
        guard cursor.offset - lineStart <= Budgets.pickleBytes else { throw limit(.sizeLimit) }
      }
      if text == .pushLine { stack.append(0) }
    case .list, .dict:
      _ = try popToMark()
      try pushContainer(text == .list ? .list : .dict, [])
    }
  }
}
