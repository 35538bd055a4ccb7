/// Checks the header of a heap in which a group or an object keeps what its header has no room for.
///
/// Source: HDF5 File Format Specification 3.0, III.G.
enum HDF5Heap {
  /// What every version of the library writes for one purpose.
  struct Shape {
    var identifierBytes: UInt16
    var firstBlockBytes: Int
    /// The heap's largest size, as a power of two.
    var sizeBits: UInt16

    static let links = Shape(identifierBytes: 7, firstBlockBytes: 512, sizeBits: 32)
    static let attributes = Shape(identifierBytes: 8, firstBlockBytes: 1024, sizeBits: 40)
  }

  /// - Throws: `FormatError` with code `hdf5Error`, `forbiddenHDF5Feature` or `truncated`.
  static func check(_ input: HDF5Input, at address: Int, _ shape: Shape) throws {
    var cursor = ByteCursor(try input.bytes(address, 142), base: address)
    guard try cursor.slice(4).elementsEqual("FRHP".utf8), try cursor.u8() == 0,
      try cursor.u16() == shape.identifierBytes
    else { throw damaged(address) }
    guard try cursor.u16() == 0 else {
      throw FormatError(.forbiddenHDF5Feature, offset: address, found: "a filtered heap")
    }
    guard try cursor.u8() & ~3 == 0, try cursor.u32() == 4096 else { throw damaged(address) }
    // Huge objects have a tree of their own, which no link and no attribute of ours needs.
    _ = try cursor.slice(8)
    guard try cursor.u64() == HDF5Superblock.undefined else {
      throw FormatError(.forbiddenHDF5Feature, offset: address, found: "huge objects in a heap")
    }
    _ = try cursor.slice(80)
    guard try cursor.u16() == 4, try cursor.length64(.hdf5Error) == shape.firstBlockBytes,
      try cursor.u64() == 65536, try cursor.u16() == shape.sizeBits, try cursor.u16() == 1
    else { throw damaged(address) }
    let root = try cursor.u64()
    let rows = Int(try cursor.u16())
    guard root != HDF5Superblock.undefined else { return }
    try checkRoot(input, Int(clamping: root), rows, shape, header: address)
  }

  /// A heap is one block, or rows of blocks that double from row to row.
  private static func checkRoot(
    _ input: HDF5Input, _ address: Int, _ rows: Int, _ shape: Shape, header: Int
  ) throws {
    let mostRows = Int(shape.sizeBits) - shape.firstBlockBytes.trailingZeroBitCount
    var cursor = ByteCursor(try input.bytes(address, 13), base: address)
    guard rows <= mostRows,
      try cursor.slice(4).elementsEqual((rows > 0 ? "FHIB" : "FHDB").utf8),
      try cursor.u8() == 0, try cursor.length64(.hdf5Error) == header
    else { throw damaged(address) }
  }

  private static func damaged(_ address: Int) -> FormatError {
    FormatError(.hdf5Error, offset: address, found: "a heap that is none")
  }
}
