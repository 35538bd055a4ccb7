/// How a header says that a dataset is stored.
///
/// Source: HDF5 File Format Specification 3.0, IV.A.2.i.
struct HDF5LayoutMessage {
  private enum Content {
    /// Bytes within the message.
    case compact(Int)
    case contiguous
    /// A chunk's extents; the last is an element's bytes.
    case chunked([Int])
    case other
  }

  private var content = Content.other
  /// The tree that tells where the chunks are, up to version 3.
  private var tree: UInt64?
  /// What tells it from version 4 on.
  private var index: HDF5ChunkIndex?

  init(_ cursor: inout ByteCursor) throws {
    let version = try cursor.u8()
    switch version {
    case 1, 2: content = try old(&cursor)
    case 3, 4: content = try new(&cursor, version)
    case 5:
      throw FormatError(
        .forbiddenHDF5Feature, expected: "layouts that came before HDF5 2.0", found: "version 5",
        remedy: "write it with libver=('earliest', 'v114')")
    default: throw FormatError(.hdf5Error, found: "layout version \(version)")
    }
  }

  private mutating func old(_ cursor: inout ByteCursor) throws -> Content {
    let (rank, kind) = (Int(try cursor.u8()), try cursor.u8())
    _ = try cursor.slice(5)
    guard rank <= Budgets.hdf5Rank + 1 else { throw Self.badRank(rank) }
    let address = kind == 0 ? HDF5Superblock.undefined : try cursor.u64()
    if kind == 2 { tree = address }
    let extents = try (0..<rank).map { _ in Int(try cursor.u32()) }
    switch kind {
    case 0: return .compact(try Self.bytes(Int(try cursor.u32()), &cursor))
    case 1: return .contiguous
    // In this version too the last extent is an element's bytes.
    case 2: return .chunked(extents)
    default: return .other
    }
  }

  private mutating func new(
    _ cursor: inout ByteCursor, _ version: UInt8
  ) throws -> Content {
    switch try cursor.u8() {
    case 0: return .compact(try Self.bytes(Int(try cursor.u16()), &cursor))
    case 1:
      _ = try cursor.slice(16)
      return .contiguous
    case 2: return .chunked(try version == 3 ? chunk(&cursor) : newChunk(&cursor))
    default: return .other
    }
  }

  private static func bytes(_ count: Int, _ cursor: inout ByteCursor) throws -> Int {
    try cursor.slice(count).count
  }

  private static func badRank(_ rank: Int) -> FormatError {
    FormatError(.hdf5Error, found: "a chunk of \(rank) dimensions")
  }

  private mutating func chunk(_ cursor: inout ByteCursor) throws -> [Int] {
    let rank = Int(try cursor.u8())
    guard (2...Budgets.hdf5Rank + 1).contains(rank) else { throw Self.badRank(rank) }
    tree = try cursor.u64()
    return try (0..<rank).map { _ in Int(try cursor.u32()) }
  }

  private mutating func newChunk(_ cursor: inout ByteCursor) throws -> [Int] {
    let flags = try cursor.u8()
    let (rank, width) = (Int(try cursor.u8()), Int(try cursor.u8()))
    guard (2...Budgets.hdf5Rank + 1).contains(rank), (1...8).contains(width) else {
      throw Self.badRank(rank)
    }
    let extents = try (0..<rank).map { _ in
      let extent = try cursor.slice(width).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      return Int(clamping: extent)
    }
    index = try HDF5ChunkIndex(&cursor, flags: flags)
    return extents
  }

  /// Compares it with the dataset's extents and element type.
  ///
  /// - Throws: `FormatError` with code `hdf5Error`, `storageSizeMismatch` or `expansionLimit`.
  func check(_ extents: [Int], typeSize: Int) throws {
    switch content {
    case .compact(let count):
      let needed = extents.reduce((typeSize, false)) { product, extent in
        let (next, overflow) = product.0.multipliedReportingOverflow(by: extent)
        return (next, product.1 || overflow)
      }
      guard !needed.1, needed.0 == count else {
        throw FormatError(
          .storageSizeMismatch, expected: "\(needed.1 ? "more" : String(needed.0)) bytes",
          found: "\(count)")
      }
    case .chunked(let chunk): try check(chunk, extents, typeSize)
    case .contiguous, .other: break
    }
  }

  /// Checks the index of the chunks, of a dataset that was checked.
  ///
  /// - Throws: `FormatError` with code `hdf5Error`.
  func checkIndex(
    _ input: HDF5Input, _ space: HDF5DataspaceMessage, isFiltered: Bool, _ seen: inout HDF5Seen
  ) throws {
    guard case .chunked(let chunk) = content else { return }
    try damageOnly("chunk index") {
      if let tree, tree != HDF5Superblock.undefined {
        try seen.use(Int(clamping: tree))
        // A key is a chunk's stored bytes, its left-out filters and its coordinates.
        _ = try HDF5Tree.leaves(
          input, root: Int(clamping: tree), kind: .chunks, keyBytes: 8 + 8 * chunk.count)
      }
      let counts = zip(space.mostExtents, chunk).map { ($0 - 1) / $1 + 1 }
      try index?.check(
        input, rank: chunk.count - 1,
        count: counts.contains(0) ? 0 : counts.reduce(1) { $0.multipliedClamped(by: $1) },
        chunkBytes: chunk.reduce(1, *), isFiltered: isFiltered, &seen)
    }
  }

  private func check(_ chunk: [Int], _ extents: [Int], _ typeSize: Int) throws {
    guard chunk.count == extents.count + 1, chunk.last == typeSize, !chunk.contains(0) else {
      throw FormatError(.hdf5Error, found: "chunks that do not fit the dataset")
    }
    var bytes = 1
    for extent in chunk {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
      guard !overflow, product <= Budgets.hdf5ChunkBytes else {
        throw FormatError(
          .expansionLimit, expected: "chunks of at most \(Budgets.hdf5ChunkBytes) bytes")
      }
      bytes = product
    }
  }
}

extension Int {
  fileprivate func multipliedClamped(by factor: Int) -> Int {
    let (product, overflow) = multipliedReportingOverflow(by: factor)
    return overflow ? .max : product
  }
}
