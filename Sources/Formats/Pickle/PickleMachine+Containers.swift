/// Tuples, lists, dictionaries and sets.
extension PickleMachine {
  mutating func makeContainer(_ opcode: PickleOpcode) throws {
    switch opcode {
    case .emptyTuple: try pushContainer(.tuple, [])
    case .emptyList: try pushContainer(.list, [])
    case .emptyDict: try pushContainer(.dict, [])
    case .emptySet: try pushContainer(.set, [])
    case .tuple: try pushContainer(.tuple, popToMark())
    case .frozenSet: try pushContainer(.set, popToMark())
    case .tuple1: try pushTuple(1)
    case .tuple2: try pushTuple(2)
    default: try pushTuple(3)
    }
  }

  private mutating func pushTuple(_ count: Int) throws {
    try require(count)
    let items = Array(stack.suffix(count))
    stack.removeLast(count)
    try pushContainer(.tuple, items)
  }

  mutating func pushContainer(_ kind: PickleDocument.Kind, _ items: [ID]) throws {
    stack.append(try addContainer(kind, items))
  }

  mutating func addContainer(_ kind: PickleDocument.Kind, _ items: [ID]) throws -> ID {
    let id = try add(
      PickleDocument.Node(kind: kind, payload: PickleDocument.Node.packed(-1, 0)))
    try link(items, to: id)
    return id
  }

  /// Adds children at the end of a container.
  mutating func link(_ items: [ID], to id: ID) throws {
    for item in items {
      guard document.links.count < 4 * Budgets.pickleNodes else { throw limit(.nodeLimit) }
      let place = Int32(document.links.count)
      document.links.append(PickleDocument.Link(item: item))
      var node = document.nodes[Int(id)]
      if node.tail >= 0 { document.links[Int(node.tail)].next = place }
      let head = node.tail >= 0 ? node.head : place
      node.payload = PickleDocument.Node.packed(Int(head), node.count + 1)
      node.tail = place
      // A list that holds itself is legal and not deep.
      if item != id { node.depth = max(node.depth, try depth(below: item)) }
      document.nodes[Int(id)] = node
    }
  }

  private func depth(below item: ID) throws -> UInt8 {
    let depth = document.nodes[Int(item)].depth + 1
    guard depth <= Budgets.pickleDepth else {
      throw FormatError(
        .depthLimit, offset: opcodeOffset, expected: "at most \(Budgets.pickleDepth) levels")
    }
    return depth
  }

  mutating func extendContainer(_ opcode: PickleOpcode) throws {
    let items: [ID]
    switch opcode {
    case .append:
      try require(2)
      items = [try pop()]
    case .setItem:
      try require(3)
      let value = try pop()
      items = [try pop(), value]
    default:
      items = try popToMark()
    }
    try require(1)
    let target = stack[stack.count - 1]
    switch opcode {
    case .append, .appends: try checkTarget(target, .list, opcode)
    case .addItems: try checkTarget(target, .set, opcode)
    default:
      try checkTarget(target, .dict, opcode)
      try checkPairs(items)
    }
    try link(items, to: target)
  }

  /// Only a container of the right kind, or a value that stays inert, can be added to.
  private func checkTarget(
    _ target: ID, _ kind: PickleDocument.Kind, _ opcode: PickleOpcode
  ) throws {
    let found = document.kind(target)
    guard found != kind, found != .object, !(found == .call && !isUnderstoodCall(target)) else {
      return
    }
    throw FormatError(
      .badTarget, offset: opcodeOffset, subject: "\(opcode)", expected: "a \(kind)",
      found: "a \(found)")
  }

  private func checkPairs(_ items: [ID]) throws {
    guard items.count.isMultiple(of: 2) else {
      throw FormatError(
        .oddItemCount, offset: opcodeOffset, expected: "keys and values",
        found: "\(items.count) items")
    }
    for index in stride(from: 0, to: items.count, by: 2) {
      let kind = document.kind(items[index])
      guard kind != .list, kind != .dict else {
        throw FormatError(
          .badDictKey, offset: opcodeOffset, expected: "a value that cannot change",
          found: "a \(kind)")
      }
    }
  }
}
