/// Checks a tree of version 2, whose nodes hold records of one kind.
///
/// The library makes room for the records that fit a node, and takes their number from the node
/// above.
///
/// Source: HDF5 File Format Specification 3.0, III.A.2.
struct HDF5RecordTree {
  /// What every version of the library writes for one purpose.
  struct Shape {
    var kind: UInt8
    var nodeBytes: Int
    var recordBytes: Int

    static let linkNames = Shape(kind: 5, nodeBytes: 512, recordBytes: 11)
    static let linkOrder = Shape(kind: 6, nodeBytes: 512, recordBytes: 15)
    static let attributeNames = Shape(kind: 8, nodeBytes: 512, recordBytes: 17)
    static let attributeOrder = Shape(kind: 9, nodeBytes: 512, recordBytes: 13)

    static func chunks(rank: Int, filteredBytes: Int?) -> Shape {
      Shape(
        kind: filteredBytes == nil ? 10 : 11, nodeBytes: 2048,
        recordBytes: 8 + (filteredBytes ?? 0) + 8 * rank)
    }
  }

  private struct Level {
    var mostRecords: Int
    /// Bytes of a pointer to a node of this level.
    var pointerBytes: Int
  }

  /// Signature, version, kind and checksum.
  private static let nodeOverhead = 10
  private static let deepest = 16

  /// - Throws: `FormatError` with code `hdf5Error` or `truncated`.
  static func check(_ input: HDF5Input, at address: Int, _ shape: Shape) throws {
    var cursor = ByteCursor(try input.bytes(address, 38), base: address)
    guard try cursor.slice(4).elementsEqual("BTHD".utf8), try cursor.u8() == 0,
      try cursor.u8() == shape.kind, try cursor.u32() == UInt32(shape.nodeBytes),
      try cursor.u16() == UInt16(shape.recordBytes)
    else { throw damaged(address) }
    let depth = Int(try cursor.u16())
    guard depth <= deepest, try cursor.u8() == 100, try cursor.u8() == 40 else {
      throw damaged(address)
    }
    let (root, records) = (try cursor.u64(), Int(try cursor.u16()))
    guard root != HDF5Superblock.undefined else { return }
    try walk(input, (Int(clamping: root), records, depth), shape, levels(shape, depth))
  }

  private static func levels(_ shape: Shape, _ depth: Int) throws -> [Level] {
    let leaf = (shape.nodeBytes - nodeOverhead) / shape.recordBytes
    let countBytes = bytesNeeded(leaf)
    var levels = [Level(mostRecords: leaf, pointerBytes: 8 + countBytes)]
    var below = leaf
    for _ in 0..<depth {
      let pointer = levels[levels.count - 1].pointerBytes
      let most =
        (shape.nodeBytes - nodeOverhead - pointer) / (shape.recordBytes + pointer)
      let (product, overflow) = (most + 1).multipliedReportingOverflow(by: below)
      guard most > 0, !overflow, product < Int.max - most else { throw damaged(0) }
      below = product + most
      levels.append(
        Level(mostRecords: most, pointerBytes: 8 + countBytes + bytesNeeded(below)))
    }
    return levels
  }

  private static func bytesNeeded(_ count: Int) -> Int {
    (Int.bitWidth - 1 - max(1, count).leadingZeroBitCount) / 8 + 1
  }

  private static func walk(
    _ input: HDF5Input, _ root: (address: Int, records: Int, depth: Int), _ shape: Shape,
    _ levels: [Level]
  ) throws {
    var pending = [root]
    var known: Set<Int> = [root.address]
    while let (address, records, depth) = pending.popLast() {
      guard records <= levels[depth].mostRecords, address <= input.size - shape.nodeBytes,
        try input.bytes(address, 4).elementsEqual((depth > 0 ? "BTIN" : "BTLF").utf8)
      else { throw damaged(address) }
      guard depth > 0 else { continue }
      let pointers = address + 6 + records * shape.recordBytes
      let width = levels[depth - 1].pointerBytes
      let count = bytesNeeded(levels[0].mostRecords)
      var cursor = ByteCursor(
        try input.bytes(pointers, (records + 1) * width), base: pointers)
      for _ in 0...records {
        let child = Int(clamping: try cursor.u64())
        let held = try cursor.slice(count).reversed().reduce(0) { $0 << 8 | Int($1) }
        _ = try cursor.slice(width - 8 - count)
        guard known.insert(child).inserted else { throw damaged(child) }
        pending.append((child, held, depth - 1))
      }
    }
  }

  private static func damaged(_ address: Int) -> FormatError {
    FormatError(.hdf5Error, offset: address, found: "a tree of records that is none")
  }
}
