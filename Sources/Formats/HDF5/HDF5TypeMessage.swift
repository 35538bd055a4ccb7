/// Checks a datatype as a header encodes it: that all of its parts are there and within bounds.
///
/// Whether it is a type that a tensor can have, `HDF5ElementType` decides.
///
/// Source: HDF5 File Format Specification 3.0, IV.A.2.d.
struct HDF5TypeMessage {
  /// Bytes of an element.
  let size: Int
  private let kind: UInt8

  /// How deep types may contain types; tensors need one level, and attributes hardly more.
  private static let deepest = 3

  private enum Kind {
    static let integer: UInt8 = 0
    static let float: UInt8 = 1
    static let time: UInt8 = 2
    static let string: UInt8 = 3
    static let bits: UInt8 = 4
    static let opaque: UInt8 = 5
    static let compound: UInt8 = 6
    static let reference: UInt8 = 7
    static let enumeration: UInt8 = 8
    static let sequence: UInt8 = 9
    static let array: UInt8 = 10
  }

  /// Reads a type; what follows it in the message is left alone.
  ///
  /// - Throws: `FormatError` with code `hdf5Error`, `unsupportedType` or `truncated`.
  static func read(_ cursor: inout ByteCursor, depth: Int = 0) throws -> HDF5TypeMessage {
    guard depth <= deepest else { throw FormatError(.unsupportedType, found: "types within types") }
    let first = try cursor.u8()
    let (kind, version) = (first & 0x0F, first >> 4)
    let bits = try cursor.slice(3).reversed().reduce(0) { $0 << 8 | Int($1) }
    let size = Int(try cursor.u32())
    guard size > 0, size <= Int(Int32.max) else { throw bad("a type of \(size) bytes", cursor) }
    guard (1...3).contains(version) else {
      throw FormatError(
        .hdf5Error, offset: cursor.offset, found: "datatype version \(version)",
        remedy: "if a newer HDF5 wrote it, save it again with libver='v110'")
    }
    let type = HDF5TypeMessage(size: size, kind: kind)
    switch kind {
    case Kind.integer, Kind.bits: try type.checkBits(&cursor)
    case Kind.float: try type.checkFloat(&cursor, bits, version)
    case Kind.time: _ = try cursor.slice(2)
    case Kind.string, Kind.reference:
      guard bits & 0x0F <= (kind == Kind.string ? 2 : 1), bits >> 4 <= 1 else {
        throw bad("a type with unknown flags", cursor)
      }
    case Kind.opaque: _ = try cursor.slice((bits & 0xFF + 7) & ~7)
    case Kind.compound: try type.checkMembers(&cursor, bits & 0xFFFF, version, depth)
    case Kind.enumeration: try type.checkValues(&cursor, bits & 0xFFFF, version, depth)
    case Kind.sequence:
      guard bits & 0x0F <= 1, bits >> 4 & 0x0F <= 2, bits >> 8 <= 1 else {
        throw bad("a type with unknown flags", cursor)
      }
      _ = try read(&cursor, depth: depth + 1)
    case Kind.array: try type.checkArray(&cursor, version, depth)
    default: throw FormatError(.unsupportedType, found: "datatype class \(kind)")
    }
    return type
  }

  private static func bad(_ found: String, _ cursor: ByteCursor) -> FormatError {
    FormatError(.hdf5Error, offset: cursor.offset, found: found)
  }

  private func checkBits(_ cursor: inout ByteCursor) throws {
    let (offset, precision) = (Int(try cursor.u16()), Int(try cursor.u16()))
    guard precision > 0, offset + precision <= 8 * size else {
      throw Self.bad("a number that does not fit its bytes", cursor)
    }
  }

  private func checkFloat(_ cursor: inout ByteCursor, _ bits: Int, _ version: UInt8) throws {
    let signAt = bits >> 8 & 0xFF
    // Bit 6 makes the byte order the VAX's, which is one of the third version, with bit 0.
    guard bits >> 4 & 3 <= 2, bits & 0x40 == 0 || version == 3 && bits & 1 == 1 else {
      throw Self.bad("a float with unknown flags", cursor)
    }
    try checkBits(&cursor)
    let fields = try (0..<4).map { _ in Int(try cursor.u8()) }
    _ = try cursor.u32()
    guard fields[1] > 0, fields[3] > 0, fields[0] + fields[1] <= 8 * size,
      fields[2] + fields[3] <= 8 * size, signAt < 8 * size
    else { throw Self.bad("a float that does not fit its bytes", cursor) }
  }

  private func checkMembers(
    _ cursor: inout ByteCursor, _ count: Int, _ version: UInt8, _ depth: Int
  ) throws {
    guard count > 0 else { throw Self.bad("a compound of nothing", cursor) }
    // The third version writes an offset in as few bytes as the compound's size needs.
    let width = (size.bitWidth - size.leadingZeroBitCount - 1) / 8 + 1
    var members: [Range<Int>] = []
    for _ in 0..<count {
      try Self.skipName(&cursor, version)
      let offset =
        version == 3
        ? try cursor.slice(width).reversed().reduce(0) { $0 << 8 | Int($1) }
        : Int(try cursor.u32())
      // Rank, permutation and extents of an array, all of which later versions write as a type.
      var elements = 1
      if version == 1 { elements = try Self.oldArray(&cursor) }
      let member = try Self.read(&cursor, depth: depth + 1)
      let (bytes, overflow) = member.size.multipliedReportingOverflow(by: elements)
      guard !overflow, offset <= size, bytes <= size - offset else {
        throw Self.bad("a compound's member outside of it", cursor)
      }
      members.append(offset..<offset + bytes)
    }
    members.sort { $0.lowerBound < $1.lowerBound }
    guard zip(members, members.dropFirst()).allSatisfy({ $0.upperBound <= $1.lowerBound }) else {
      throw Self.bad("a compound whose members overlap", cursor)
    }
  }

  private static func oldArray(_ cursor: inout ByteCursor) throws -> Int {
    let rank = Int(try cursor.u8())
    _ = try cursor.slice(11)
    let extents = try (0..<4).map { _ in Int(try cursor.u32()) }
    guard rank <= 4 else { throw bad("an array of \(rank) dimensions", cursor) }
    return try product(extents.prefix(rank), cursor)
  }

  private static func product(_ extents: some Sequence<Int>, _ cursor: ByteCursor) throws -> Int {
    try extents.reduce(1) { product, extent in
      let (next, overflow) = product.multipliedReportingOverflow(by: extent)
      guard extent > 0, !overflow else { throw bad("an array of impossible extents", cursor) }
      return next
    }
  }

  private func checkValues(
    _ cursor: inout ByteCursor, _ count: Int, _ version: UInt8, _ depth: Int
  ) throws {
    let base = try Self.read(&cursor, depth: depth + 1)
    guard base.kind == Kind.integer, base.size == size, count > 0 else {
      throw Self.bad("an enumeration of no integers", cursor)
    }
    for _ in 0..<count { try Self.skipName(&cursor, version) }
    _ = try cursor.slice(count * size)
  }

  private func checkArray(_ cursor: inout ByteCursor, _ version: UInt8, _ depth: Int) throws {
    let rank = Int(try cursor.u8())
    guard version > 1, (1...Budgets.hdf5Rank).contains(rank) else {
      throw Self.bad("an array of \(rank) dimensions", cursor)
    }
    if version == 2 { _ = try cursor.slice(3) }
    let extents = try (0..<rank).map { _ in Int(try cursor.u32()) }
    if version == 2 { _ = try cursor.slice(4 * rank) }
    let element = try Self.read(&cursor, depth: depth + 1)
    let (bytes, overflow) = element.size.multipliedReportingOverflow(
      by: try Self.product(extents, cursor))
    guard !overflow, bytes == size else { throw Self.bad("an array of another size", cursor) }
  }

  /// A name ends with a zero and, before the third version, is padded to a multiple of eight.
  private static func skipName(_ cursor: inout ByteCursor, _ version: UInt8) throws {
    var length = 1
    while try cursor.u8() != 0 { length += 1 }
    if version < 3 { _ = try cursor.slice((8 - length % 8) % 8) }
  }
}
