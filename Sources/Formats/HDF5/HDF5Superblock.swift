/// The block at a file's signature, read by ourselves before the library reads it.
///
/// Source: HDF5 File Format Specification 3.0, II.A.
struct HDF5Superblock {
  /// Where the root group's object header lies, counted from the signature like all addresses.
  let rootAddress: Int
  /// What the superblock remembers of the root group's symbol table.
  let cachedTable: HDF5SymbolTable.Place?
  /// The object header of the superblock's own messages, if there is one.
  let extensionAddress: Int?

  /// An address that leads nowhere.
  static let undefined = UInt64.max

  /// Reads and checks the block.
  ///
  /// - Throws: `FormatError` with code `hdf5Error` or `forbiddenHDF5Feature`.
  init(_ input: HDF5Input) throws {
    var cursor = ByteCursor(try input.bytes(0, min(input.size, 100)))
    (rootAddress, extensionAddress, cachedTable) = try damageOnly("superblock") {
      _ = try cursor.slice(HDF5Signature.bytes.count)
      switch try cursor.u8() {
      case let version where version <= 1: return try Self.old(&cursor, version)
      case let version where version <= 3: return try Self.new(&cursor)
      case let version: throw FormatError(.hdf5Error, found: "superblock version \(version)")
      }
    }
  }

  private static func old(
    _ cursor: inout ByteCursor, _ version: UInt8
  ) throws -> (Int, Int?, HDF5SymbolTable.Place?) {
    // Versions of free-space storage, root entry and shared headers, each with one value.
    guard try cursor.slice(2).elementsEqual([0, 0]) else { throw unknown("parts") }
    _ = try cursor.slice(2)
    try checkSizes(&cursor)
    _ = try cursor.u8()
    let (leaf, inner) = (try cursor.u16(), try cursor.u16())
    guard leaf > 0, inner > 0 else { throw unknown("group nodes") }
    _ = try cursor.slice(version == 0 ? 4 : 8)
    // The base address follows the signature, wherever that lies; free space is never used.
    _ = try cursor.slice(24)
    guard try cursor.u64() == undefined else {
      throw FormatError(.forbiddenHDF5Feature, found: "a file driver's own information")
    }
    _ = try cursor.slice(8)
    let root = try cursor.length64(.hdf5Error)
    let isCached = try cursor.u32() == 1
    _ = try cursor.u32()
    return (root, nil, isCached ? try HDF5SymbolTable.Place(&cursor) : nil)
  }

  private static func new(
    _ cursor: inout ByteCursor
  ) throws -> (Int, Int?, HDF5SymbolTable.Place?) {
    try checkSizes(&cursor)
    _ = try cursor.slice(9)
    let extensionAddress = try cursor.u64()
    _ = try cursor.slice(8)
    let root = try cursor.length64(.hdf5Error)
    let isExtended = extensionAddress != undefined
    return (root, isExtended ? Int(exactly: extensionAddress) ?? .max : nil, nil)
  }

  private static func checkSizes(_ cursor: inout ByteCursor) throws {
    let (addresses, lengths) = (try cursor.u8(), try cursor.u8())
    guard addresses == 8, lengths == 8 else {
      throw FormatError(
        .forbiddenHDF5Feature, expected: "addresses and lengths of 8 bytes",
        found: "\(addresses) and \(lengths)")
    }
  }

  private static func unknown(_ what: String) -> FormatError {
    FormatError(.hdf5Error, found: "a superblock with impossible \(what)")
  }
}

/// Reads a part of the file's structure, in which running out of bytes is damage.
func damageOnly<Result>(_ part: String, _ body: () throws -> Result) throws -> Result {
  do {
    return try body()
  } catch let error as FormatError where error.code == .truncated {
    throw FormatError(.hdf5Error, offset: error.offset, found: "a \(part) that ends too early")
  }
}
