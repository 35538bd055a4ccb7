/// Checks a group that is stored as a symbol table: its heap of names, its tree, and its nodes.
///
/// Source: HDF5 File Format Specification 3.0, III.A, III.C and III.D.
struct HDF5SymbolTable {
  /// Where the tree and the heap lie, as a header or a cache of it tells.
  struct Place: Equatable {
    var tree: Int
    var heap: Int

    init(_ cursor: inout ByteCursor) throws {
      tree = try cursor.length64(.hdf5Error)
      heap = try cursor.length64(.hdf5Error)
    }
  }

  private let names: [UInt8]
  private let input: HDF5Input
  /// How many more bytes of names may be looked at.
  private var allowance: Int

  /// - Throws: `FormatError` with code `hdf5Error`.
  static func check(_ input: HDF5Input, _ place: Place, _ seen: inout HDF5Seen) throws {
    try seen.use(place.tree)
    try seen.use(place.heap)
    try damageOnly("group") {
      var table = try HDF5SymbolTable(input, heap: place.heap, &seen)
      // A key is the place of a name in the heap.
      let nodes = try HDF5Tree.leaves(input, root: place.tree, kind: .group, keyBytes: 8) { key in
        var key = key
        try table.checkName(at: try key.length64(.hdf5Error))
      }
      for node in nodes { try table.checkNode(node) }
    }
  }

  private init(_ input: HDF5Input, heap: Int, _ seen: inout HDF5Seen) throws {
    self.input = input
    var cursor = ByteCursor(try input.bytes(heap, 32), base: heap)
    guard try cursor.slice(4).elementsEqual("HEAP".utf8), try cursor.u32() == 0 else {
      throw damaged(heap, "no heap of names")
    }
    let size = try cursor.length64(.hdf5Error)
    let free = try cursor.length64(.hdf5Error)
    let address = try cursor.length64(.hdf5Error)
    try seen.take(size, of: input)
    names = try input.bytes(address, size)
    // A name is a link's and perhaps a key's of each level above it, but no two links share one.
    allowance = 8 * size
    try checkFree(from: free)
  }

  /// The heap's unused blocks each tell where the next one is; 1 ends the list.
  private func checkFree(from first: Int) throws {
    var place = first
    // A block takes 16 bytes, so more of them than fit means a circle.
    for _ in 0...names.count / 16 {
      guard place != 1 else { return }
      guard place <= names.count else { throw damaged(place, "a heap of names with gaps outside") }
      var cursor = ByteCursor(Array(names[place...].prefix(16)), base: place)
      let next = try cursor.length64(.hdf5Error)
      let size = try cursor.length64(.hdf5Error)
      guard size >= 16, size <= names.count - place else {
        throw damaged(place, "a heap of names with an impossible gap")
      }
      place = next
    }
    throw damaged(first, "a heap of names whose gaps go in a circle")
  }

  /// Checks the zero-terminated text at a place of the heap.
  ///
  /// - Returns: how many bytes it has.
  @discardableResult
  private mutating func checkName(at place: Int) throws -> Int {
    guard place < names.count else { throw damaged(place, "a name outside of its heap") }
    let most = min(names.count - place, Budgets.tensorNameBytes + 1)
    guard let end = names[place..<place + most].firstIndex(of: 0) else {
      throw most > Budgets.tensorNameBytes
        ? FormatError(.nameLimit, expected: "at most \(Budgets.tensorNameBytes) bytes")
        : damaged(place, "a name outside of its heap")
    }
    allowance -= end - place + 1
    guard allowance >= 0 else { throw damaged(place, "links that share their names") }
    return end - place
  }

  private mutating func checkNode(_ address: Int) throws {
    var head = ByteCursor(try input.bytes(address, 8), base: address)
    guard try head.slice(4).elementsEqual("SNOD".utf8), try head.u8() == 1 else {
      throw damaged(address, "no node of a group")
    }
    _ = try head.u8()
    let count = Int(try head.u16())
    var cursor = ByteCursor(try input.bytes(address + 8, 40 * count), base: address + 8)
    for _ in 0..<count {
      guard try checkName(at: cursor.length64(.hdf5Error)) > 0 else {
        throw damaged(cursor.offset, "a link without a proper name")
      }
      let object = try cursor.u64()
      let kind = try cursor.u32()
      _ = try cursor.u32()
      let target = Int(try cursor.u32())
      _ = try cursor.slice(12)
      guard kind <= 2 else { throw damaged(cursor.offset, "a link of kind \(kind)") }
      if kind == 2 {
        try checkName(at: target)
      } else if Int(exactly: object) == nil {
        throw damaged(cursor.offset, "a link to nowhere")
      }
    }
  }
}

/// Walks through a tree of version 1, which the library descends by recursion.
enum HDF5Tree {
  enum Kind: UInt8 { case group = 0, chunks = 1 }

  /// The addresses that the lowest nodes hold.
  ///
  /// Levels must fall by one from node to node, and no node may be met twice.
  ///
  /// - Throws: `FormatError` with code `hdf5Error` or `truncated`, or what `checkKey` throws.
  static func leaves(
    _ input: HDF5Input, root: Int, kind: Kind, keyBytes: Int,
    checkKey: (ByteCursor) throws -> Void = { _ in }
  ) throws -> [Int] {
    var pending: [(address: Int, level: Int?)] = [(root, nil)]
    var (known, leaves): (Set<Int>, [Int]) = ([root], [])
    while let (address, expected) = pending.popLast() {
      var head = ByteCursor(try input.bytes(address, 24), base: address)
      guard try head.slice(4).elementsEqual("TREE".utf8), try head.u8() == kind.rawValue else {
        throw damaged(address, "no node of a tree")
      }
      let (level, count) = (Int(try head.u8()), Int(try head.u16()))
      guard level == expected ?? level else { throw damaged(address, "a tree of uneven depth") }
      var cursor = ByteCursor(
        try input.bytes(address + 24, (keyBytes + 8) * count + keyBytes), base: address + 24)
      for _ in 0..<count {
        try checkKey(ByteCursor(Array(try cursor.slice(keyBytes)), base: cursor.offset))
        let child = try cursor.length64(.hdf5Error)
        guard known.insert(child).inserted else {
          throw damaged(cursor.offset, "a tree that meets itself")
        }
        if level == 0 { leaves.append(child) } else { pending.append((child, level - 1)) }
      }
    }
    return leaves
  }
}

private func damaged(_ offset: Int, _ found: String) -> FormatError {
  FormatError(.hdf5Error, offset: offset, found: found)
}
