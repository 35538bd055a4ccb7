/// Where a header says that a dataset's chunks are indexed, in the layouts of version 4.
///
/// Source: HDF5 File Format Specification 3.0, IV.A.2.i and VII. The parameters are those that
/// every version of the library writes.
struct HDF5ChunkIndex {
  private enum Kind: UInt8 {
    case single = 1
    case implicit = 2
    case fixedArray = 3
    case extensibleArray = 4
    case tree = 5
  }

  private let kind: Kind
  private let address: UInt64

  /// Powers of two of an array's pages.
  private static let pageBits: UInt8 = 10
  /// Bits of the largest index, elements in the index block, least elements of a data block, and
  /// least pointers of a block above.
  private static let extensible: [UInt8] = [32, 4, 16, 4, pageBits]

  init(_ cursor: inout ByteCursor, flags: UInt8) throws {
    let number = try cursor.u8()
    guard let kind = Kind(rawValue: number) else { throw Self.damaged(cursor.offset) }
    self.kind = kind
    switch kind {
    case .single: if flags & 2 != 0 { _ = try cursor.slice(12) }
    case .implicit: break
    case .fixedArray:
      guard try cursor.u8() == Self.pageBits else { throw Self.damaged(cursor.offset) }
    case .extensibleArray:
      // Here the pointers stand before the elements.
      guard try cursor.slice(5).elementsEqual([32, 4, 4, 16, Self.pageBits]) else {
        throw Self.damaged(cursor.offset)
      }
    case .tree:
      guard try cursor.u32() == 2048, try cursor.u8() == 100, try cursor.u8() == 40 else {
        throw Self.damaged(cursor.offset)
      }
    }
    address = try cursor.u64()
  }

  /// Checks what the address leads to.
  ///
  /// - Parameters:
  ///   - count: chunks of the dataset; nil when it can grow.
  ///   - chunkBytes: of a chunk before filters.
  /// - Throws: `FormatError` with code `hdf5Error` or `truncated`.
  func check(
    _ input: HDF5Input, rank: Int, count: Int, chunkBytes: Int, isFiltered: Bool,
    _ seen: inout HDF5Seen
  ) throws {
    guard address != HDF5Superblock.undefined, kind != .single else { return }
    let place = Int(clamping: address)
    try seen.use(place)
    // Stored bytes in as many bytes as a chunk's size takes and one more, and left-out filters.
    let sizeBytes = min(8, 1 + (Int.bitWidth - 1 - chunkBytes.leadingZeroBitCount + 8) / 8)
    let filteredBytes = isFiltered ? sizeBytes + 4 : nil
    switch kind {
    case .single: break
    case .implicit: try checkImplicit(input, place, count, chunkBytes)
    case .fixedArray: try checkFixed(input, place, count, 8 + (filteredBytes ?? 0))
    case .extensibleArray: try checkExtensible(input, place, 8 + (filteredBytes ?? 0))
    case .tree:
      try HDF5RecordTree.check(
        input, at: place, .chunks(rank: rank, filteredBytes: filteredBytes))
    }
  }

  private func checkImplicit(
    _ input: HDF5Input, _ place: Int, _ count: Int, _ chunkBytes: Int
  ) throws {
    let (bytes, overflow) = count.multipliedReportingOverflow(by: chunkBytes)
    guard !overflow, place <= input.size, bytes <= input.size - place else {
      throw Self.damaged(place)
    }
  }

  private func checkFixed(
    _ input: HDF5Input, _ place: Int, _ count: Int, _ entryBytes: Int
  ) throws {
    var cursor = ByteCursor(try input.bytes(place, 28), base: place)
    guard try cursor.slice(4).elementsEqual("FAHD".utf8), try cursor.u8() == 0,
      try cursor.u8() == (entryBytes > 8 ? 1 : 0), try cursor.u8() == UInt8(entryBytes),
      try cursor.u8() == Self.pageBits, try cursor.length64(.hdf5Error) == count
    else { throw Self.damaged(place) }
    let block = try cursor.u64()
    guard block != HDF5Superblock.undefined else { return }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: entryBytes)
    let start = Int(clamping: block)
    guard !overflow, start <= input.size, bytes <= input.size - start else {
      throw Self.damaged(place)
    }
  }

  private func checkExtensible(_ input: HDF5Input, _ place: Int, _ elementBytes: Int) throws {
    var cursor = ByteCursor(try input.bytes(place, 72), base: place)
    guard try cursor.slice(4).elementsEqual("EAHD".utf8), try cursor.u8() == 0,
      try cursor.u8() == (elementBytes > 8 ? 1 : 0), try cursor.u8() == UInt8(elementBytes),
      try cursor.slice(5).elementsEqual(Self.extensible)
    else { throw Self.damaged(place) }
    // Blocks above and data blocks, each with their number and bytes.
    _ = try cursor.slice(32)
    let (used, room) = (try cursor.length64(.hdf5Error), try cursor.length64(.hdf5Error))
    // Places that were never written up to the last that was have no room yet.
    guard used <= max(room, Budgets.hdf5Chunks), room <= input.size / elementBytes else {
      throw Self.damaged(place)
    }
  }

  private static func damaged(_ offset: Int) -> FormatError {
    FormatError(.hdf5Error, offset: offset, found: "a chunk index that is none")
  }
}
