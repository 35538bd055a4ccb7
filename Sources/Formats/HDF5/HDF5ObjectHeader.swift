/// What was checked already, so that no forged file makes one part be checked again and again.
struct HDF5Seen {
  fileprivate var objects: Set<Int> = []
  private var parts: Set<Int> = []
  /// Bytes of all heaps of names together.
  private var heapBytes = 0

  /// Notes a tree or a heap, which only one object may use.
  mutating func use(_ address: Int) throws {
    guard parts.insert(address).inserted else {
      throw FormatError(.hdf5Error, offset: address, found: "a part that two objects share")
    }
  }

  /// Notes a heap of names, which have no byte in common and so fit the file together.
  mutating func take(_ bytes: Int, of input: HDF5Input) throws {
    guard bytes <= input.size - heapBytes else {
      throw FormatError(.hdf5Error, found: "heaps of names that are larger than the file")
    }
    heapBytes += bytes
  }
}

/// Checks an object's header before the library reads it.
///
/// Version 1.10 of the library trusts sizes within header messages, or crashes while it cleans up
/// after one that it refuses; so none of them gets there unless it is sound.
///
/// Source: HDF5 File Format Specification 3.0, IV.A.
struct HDF5ObjectHeader {
  /// A message's kind and its bytes.
  struct Message {
    var kind: UInt16
    var flags: UInt8
    /// Where its content begins.
    var offset: Int
    var content: [UInt8]

    /// Whether the content is elsewhere and only a reference stands here.
    var isShared: Bool { flags & 2 != 0 }
  }

  private let input: HDF5Input
  private var messages: [Message] = []
  /// Blocks that are still to be read, and all that were ever met.
  private var pending: [Range<Int>] = []
  private var known: Set<Int> = []
  private var isNew = false
  private var tracksOrder = false

  /// Bytes of an object's header, far above what the format's 64 KiB a message amount to.
  private static let byteLimit = 64 << 20

  /// Reads the header of the object at an address and checks all of its messages.
  ///
  /// - Throws: `FormatError` with code `hdf5Error`, `unsupportedType` or `forbiddenHDF5Feature`.
  static func check(_ input: HDF5Input, at address: Int, _ seen: inout HDF5Seen) throws {
    guard seen.objects.insert(address).inserted else { return }
    try HDF5Messages(messages(input, at: address)).check(input, &seen)
  }

  /// Reads the header that a superblock adds to itself and checks all of its messages.
  ///
  /// - Throws: `FormatError` with code `hdf5Error` or `forbiddenHDF5Feature`.
  static func checkExtension(_ input: HDF5Input, at address: Int) throws {
    try HDF5SuperblockExtension.check(messages(input, at: address))
  }

  private static func messages(_ input: HDF5Input, at address: Int) throws -> [Message] {
    var header = HDF5ObjectHeader(input: input)
    try damageOnly("object header") {
      try header.readPrefix(address)
      var bytes = 0
      while let block = header.pending.popLast() {
        bytes += block.count
        guard bytes <= byteLimit else { throw damaged(address, "an endless object header") }
        try header.readMessages(block)
      }
    }
    return header.messages
  }

  private init(input: HDF5Input) { self.input = input }

  private static func damaged(_ offset: Int, _ found: String) -> FormatError {
    FormatError(.hdf5Error, offset: offset, found: found)
  }

  private mutating func readPrefix(_ address: Int) throws {
    guard address >= 0, address < input.size else {
      throw Self.damaged(address, "an object outside of the file")
    }
    var cursor = ByteCursor(
      try input.bytes(address, min(48, input.size - address)), base: address)
    isNew = try cursor.u8() == UInt8(ascii: "O")
    let (start, size) = try isNew ? newPrefix(&cursor) : oldPrefix(&cursor)
    try push(start, size)
  }

  /// What follows the version of an old header.
  private func oldPrefix(_ cursor: inout ByteCursor) throws -> (Int, Int) {
    guard cursor.bytes[0] == 1 else {
      throw Self.damaged(cursor.offset, "object header version \(cursor.bytes[0])")
    }
    _ = try cursor.slice(7)
    let size = Int(try cursor.u32())
    _ = try cursor.slice(4)
    return (cursor.offset, size)
  }

  /// What follows the first letter of a new header's signature.
  private mutating func newPrefix(_ cursor: inout ByteCursor) throws -> (Int, Int) {
    guard try cursor.slice(3).elementsEqual("HDR".utf8), try cursor.u8() == 2 else {
      throw Self.damaged(cursor.offset, "no object header")
    }
    let flags = try cursor.u8()
    tracksOrder = flags & 4 != 0
    if flags & 0x20 != 0 { _ = try cursor.slice(16) }
    if flags & 0x10 != 0 { _ = try cursor.slice(4) }
    let size: Int =
      switch flags & 3 {
      case 0: Int(try cursor.u8())
      case 1: Int(try cursor.u16())
      case 2: Int(try cursor.u32())
      default: try cursor.length64(.hdf5Error)
      }
    return (cursor.offset, size)
  }

  private mutating func push(_ start: Int, _ size: Int) throws {
    guard start >= 0, size >= 0, start <= input.size, size <= input.size - start,
      known.insert(start).inserted
    else { throw Self.damaged(start, "an object header outside of the file or within itself") }
    pending.append(start..<start + size)
  }

  private mutating func readMessages(_ block: Range<Int>) throws {
    var cursor = ByteCursor(try input.bytes(block.lowerBound, block.count), base: block.lowerBound)
    let prefix = isNew ? (tracksOrder ? 6 : 4) : 8
    while cursor.remaining >= prefix {
      let kind = isNew ? UInt16(try cursor.u8()) : try cursor.u16()
      let size = Int(try cursor.u16())
      let flags = try cursor.u8()
      _ = try cursor.slice(prefix - (isNew ? 4 : 5))
      guard isNew || size.isMultiple(of: 8) else {
        throw Self.damaged(cursor.offset, "a message of \(size) bytes")
      }
      let message = Message(
        kind: kind, flags: flags, offset: cursor.offset, content: Array(try cursor.slice(size)))
      if kind == HDF5Messages.continuation {
        try follow(message)
      } else {
        messages.append(message)
      }
    }
    // A new header may leave a gap that is smaller than a message.
    guard isNew || cursor.isAtEnd else {
      throw Self.damaged(cursor.offset, "an object header that ends within a message")
    }
  }

  private mutating func follow(_ message: Message) throws {
    var cursor = ByteCursor(message.content, base: message.offset)
    let (start, size) = (try cursor.length64(.hdf5Error), try cursor.length64(.hdf5Error))
    guard isNew else { return try push(start, size) }
    // A signature in front and a checksum behind.
    guard size >= 8, try input.bytes(start, 4).elementsEqual("OCHK".utf8) else {
      throw Self.damaged(start, "no continued object header")
    }
    try push(start + 4, size - 8)
  }
}
