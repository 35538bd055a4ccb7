/// Checks that the messages of an object's header are sound in themselves and fit each other.
///
/// Source: HDF5 File Format Specification 3.0, IV.A.2.
struct HDF5Messages {
  private let messages: [HDF5ObjectHeader.Message]

  static let continuation: UInt16 = 0x10

  /// The messages whose content is looked at.
  private enum Kind: UInt16 {
    case dataspace = 0x01
    case linkInfo = 0x02
    case datatype = 0x03
    case oldFillValue = 0x04
    case fillValue = 0x05
    case link = 0x06
    case externalFiles = 0x07
    case layout = 0x08
    case filters = 0x0B
    case attribute = 0x0C
    case symbolTable = 0x11
    case attributeInfo = 0x15
    case referenceCount = 0x16
  }

  init(_ messages: [HDF5ObjectHeader.Message]) { self.messages = messages }

  /// Checks them all, and the trees that they lead to.
  ///
  /// - Throws: `FormatError` with code `hdf5Error`, `unsupportedType` or `forbiddenHDF5Feature`.
  func check(_ input: HDF5Input, _ seen: inout HDF5Seen) throws {
    var (space, typeSize) = (HDF5DataspaceMessage?.none, Int?.none)
    var (layout, isFiltered) = (HDF5LayoutMessage?.none, false)
    var fills: [Int] = []
    for message in messages {
      guard let kind = Kind(rawValue: message.kind) else { continue }
      guard !message.isShared else { throw shared(kind) }
      var cursor = ByteCursor(message.content, base: message.offset)
      try damageOnly("header message") {
        switch kind {
        case .dataspace: space = try HDF5DataspaceMessage(&cursor)
        case .datatype: typeSize = try HDF5TypeMessage.read(&cursor).size
        case .oldFillValue: fills.append(try fill(&cursor))
        case .fillValue: fills += try newFill(&cursor)
        case .layout: layout = try HDF5LayoutMessage(&cursor)
        case .filters: isFiltered = try HDF5FilterMessage.count(&cursor) > 0
        case .attribute: try HDF5AttributeMessage.check(&cursor)
        case .link: try link(&cursor)
        case .externalFiles:
          throw FormatError(.forbiddenHDF5Feature, found: "data in other files")
        case .linkInfo: try linkInfo(&cursor, input, &seen)
        case .attributeInfo: try attributeInfo(&cursor, input, &seen)
        // The library takes the number as soon as it meets it.
        case .referenceCount: _ = try cursor.slice(5)
        case .symbolTable:
          try HDF5SymbolTable.check(input, HDF5SymbolTable.Place(&cursor), &seen)
        }
      }
    }
    guard let layout else { return }
    guard let space, let typeSize else {
      throw FormatError(.hdf5Error, found: "a dataset without a type or a shape")
    }
    try layout.check(space.extents, typeSize: typeSize)
    try layout.checkIndex(input, space, isFiltered: isFiltered, &seen)
    if let fill = fills.first(where: { $0 != 0 && $0 != typeSize }) {
      throw FormatError(.hdf5Error, found: "a fill value of \(fill) bytes, not \(typeSize)")
    }
  }

  private func shared(_ kind: Kind) -> FormatError {
    kind == .datatype
      ? FormatError(.unsupportedType, found: "a committed type")
      : FormatError(.forbiddenHDF5Feature, found: "shared header messages")
  }

  /// Bytes of a fill value that lies in the message.
  private func fill(_ cursor: inout ByteCursor, mayBeUndefined: Bool = false) throws -> Int {
    let size = try cursor.u32()
    // Versions 1 and 2 write -1 where there is no value.
    if mayBeUndefined, size == .max { return 0 }
    return try cursor.slice(Int(size)).count
  }

  private func newFill(_ cursor: inout ByteCursor) throws -> [Int] {
    let version = try cursor.u8()
    switch version {
    case 1, 2:
      _ = try cursor.slice(2)
      let isDefined = try cursor.u8() != 0
      return version == 1 || isDefined ? [try fill(&cursor, mayBeUndefined: true)] : []
    case 3: return try cursor.u8() & 0x20 != 0 ? [try fill(&cursor)] : []
    default: throw FormatError(.hdf5Error, found: "fill value version \(version)")
    }
  }

  private func link(_ cursor: inout ByteCursor) throws {
    guard try cursor.u8() == 1 else { throw FormatError(.hdf5Error, found: "a link's version") }
    let flags = try cursor.u8()
    let kind = flags & 0x08 != 0 ? try cursor.u8() : 0
    if flags & 0x04 != 0 { _ = try cursor.slice(8) }
    let encoding = flags & 0x10 != 0 ? try cursor.u8() : 0
    // Hard, soft, and from 64 on what is defined outside of the format.
    guard flags & ~0x1F == 0, kind <= 1 || kind >= 64, encoding <= 1 else {
      throw FormatError(.hdf5Error, found: "a link of kind \(kind)")
    }
    let length: Int =
      switch flags & 3 {
      case 0: Int(try cursor.u8())
      case 1: Int(try cursor.u16())
      case 2: Int(try cursor.u32())
      default: try cursor.length64(.hdf5Error)
      }
    guard length > 0, !(try cursor.slice(length)).contains(0) else {
      throw FormatError(.hdf5Error, found: "a link without a proper name")
    }
    guard kind != 0 else { return _ = try cursor.slice(8) }
    let target = Int(try cursor.u16())
    guard target > 0 else { throw FormatError(.hdf5Error, found: "a link to nowhere") }
    _ = try cursor.slice(target)
  }

  /// Where links lie that a group's header has no room for.
  private func linkInfo(
    _ cursor: inout ByteCursor, _ input: HDF5Input, _ seen: inout HDF5Seen
  ) throws {
    let (version, flags) = (try cursor.u8(), try cursor.u8())
    guard version == 0 else { throw FormatError(.hdf5Error, found: "a group's version") }
    if flags & 1 != 0 { _ = try cursor.slice(8) }
    let (heap, names) = (try cursor.u64(), try cursor.u64())
    let order = flags & 2 != 0 ? try cursor.u64() : HDF5Superblock.undefined
    try dense(input, heap, .links, &seen)
    try dense(input, names, .linkNames, &seen)
    try dense(input, order, .linkOrder, &seen)
  }

  /// Where attributes lie that an object's header has no room for.
  private func attributeInfo(
    _ cursor: inout ByteCursor, _ input: HDF5Input, _ seen: inout HDF5Seen
  ) throws {
    let (version, flags) = (try cursor.u8(), try cursor.u8())
    guard version == 0 else { throw FormatError(.hdf5Error, found: "attributes' version") }
    if flags & 1 != 0 { _ = try cursor.slice(2) }
    let (heap, names) = (try cursor.u64(), try cursor.u64())
    let order = flags & 2 != 0 ? try cursor.u64() : HDF5Superblock.undefined
    try dense(input, heap, .attributes, &seen)
    try dense(input, names, .attributeNames, &seen)
    try dense(input, order, .attributeOrder, &seen)
  }

  private func dense(
    _ input: HDF5Input, _ address: UInt64, _ shape: HDF5Heap.Shape, _ seen: inout HDF5Seen
  ) throws {
    guard address != HDF5Superblock.undefined else { return }
    try seen.use(Int(clamping: address))
    try HDF5Heap.check(input, at: Int(clamping: address), shape)
  }

  private func dense(
    _ input: HDF5Input, _ address: UInt64, _ shape: HDF5RecordTree.Shape,
    _ seen: inout HDF5Seen
  ) throws {
    guard address != HDF5Superblock.undefined else { return }
    try seen.use(Int(clamping: address))
    try HDF5RecordTree.check(input, at: Int(clamping: address), shape)
  }
}

/// The extents of a dataset or an attribute.
struct HDF5DataspaceMessage {
  /// None for a scalar, and a zero for what has no elements at all.
  var extents: [Int] = []
  /// What the extents may grow to, the largest number where there is no limit.
  var mostExtents: [Int] = []

  init(_ cursor: inout ByteCursor) throws {
    let (version, rank, flags) = (try cursor.u8(), Int(try cursor.u8()), try cursor.u8())
    guard version == 1 || version == 2, rank <= Budgets.hdf5Rank else {
      throw FormatError(
        rank > Budgets.hdf5Rank ? .rankLimit : .hdf5Error,
        expected: "at most \(Budgets.hdf5Rank) dimensions", found: "\(rank)")
    }
    let kind = try cursor.u8()
    if version == 1 { _ = try cursor.slice(4) }
    // Whoever needs the extents as numbers refuses those that are none.
    extents = try (0..<rank).map { _ in Int(clamping: try cursor.u64()) }
    mostExtents = extents
    if flags & 1 != 0 {
      mostExtents = try (0..<rank).map { _ in Int(clamping: try cursor.u64()) }
    }
    // From the second version on: scalar, simple, or without elements.
    guard flags <= 1, version == 1 || kind == (rank > 0 ? 1 : kind & 2), kind <= 2 || version == 1,
      zip(extents, mostExtents).allSatisfy({ $0 <= $1 })
    else { throw FormatError(.hdf5Error, found: "an impossible shape") }
    if version == 2, kind == 2 { (extents, mostExtents) = ([0], [0]) }
  }
}

/// What is attached to an object.
enum HDF5AttributeMessage {
  static func check(_ cursor: inout ByteCursor) throws {
    let (version, flags) = (try cursor.u8(), try cursor.u8())
    guard (1...3).contains(version) else {
      throw FormatError(.hdf5Error, found: "attribute version \(version)")
    }
    guard version == 1 || flags == 0 else {
      throw FormatError(.forbiddenHDF5Feature, found: "an attribute whose type lies elsewhere")
    }
    let sizes = [try cursor.u16(), try cursor.u16(), try cursor.u16()].map { Int($0) }
    guard try version < 3 || cursor.u8() <= 1 else {
      throw FormatError(.hdf5Error, found: "an attribute in an unknown encoding")
    }
    // The first version pads each of its parts.
    let parts = try sizes.map { size in
      let part = try cursor.slice(size)
      if version == 1 { _ = try cursor.slice((8 - size % 8) % 8) }
      return part
    }
    guard parts[0].firstIndex(of: 0) == parts[0].indices.last, parts[0].count > 1 else {
      throw FormatError(.hdf5Error, found: "an attribute without a proper name")
    }
    var (type, space) = (ByteCursor(Array(parts[1])), ByteCursor(Array(parts[2])))
    let elementBytes = try HDF5TypeMessage.read(&type).size
    let extents = try HDF5DataspaceMessage(&space).extents
    var bytes = elementBytes
    for extent in extents {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
      guard !overflow else { throw FormatError(.overflow) }
      bytes = product
    }
    _ = try cursor.slice(bytes)
  }
}

/// The filters of a dataset.
enum HDF5FilterMessage {
  /// Checks them and returns how many there are.
  static func count(_ cursor: inout ByteCursor) throws -> Int {
    let (version, count) = (try cursor.u8(), Int(try cursor.u8()))
    guard version == 1 || version == 2, count <= 32 else {
      throw FormatError(.hdf5Error, found: "\(count) filters of version \(version)")
    }
    if version == 1 { _ = try cursor.slice(6) }
    for _ in 0..<count {
      let identifier = try cursor.u16()
      let nameLength = version == 1 || identifier >= 256 ? Int(try cursor.u16()) : 0
      _ = try cursor.u16()
      let values = Int(try cursor.u16())
      let name = try cursor.slice(nameLength)
      guard name.isEmpty || name.contains(0) else {
        throw FormatError(.hdf5Error, found: "a filter's name without an end")
      }
      _ = try cursor.slice(4 * (version == 1 ? values + values % 2 : values))
    }
    return count
  }
}
