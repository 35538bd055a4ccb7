/// Checks the messages that a superblock keeps in an object header of its own.
///
/// The library acts on them while it opens a file, and loads what they lead to, such as an image of
/// its cache, without holding it against anything. So only those pass that are numbers alone.
///
/// Source: HDF5 File Format Specification 3.0, II.C.
enum HDF5SuperblockExtension {
  private enum Kind: UInt16 {
    case none = 0x00
    case treeConstants = 0x13
    case fileSpace = 0x17
  }

  /// What other messages mean, for those that the format defines here.
  private static let refused: [UInt16: String] = [
    0x0F: "a table of shared header messages", 0x14: "a file driver's own information",
    0x18: "an image of the library's cache",
  ]

  /// - Throws: `FormatError` with code `forbiddenHDF5Feature` or `hdf5Error`.
  static func check(_ messages: [HDF5ObjectHeader.Message]) throws {
    for message in messages {
      guard let kind = Kind(rawValue: message.kind), !message.isShared else {
        throw FormatError(
          .forbiddenHDF5Feature, offset: message.offset,
          found: refused[message.kind] ?? "message \(message.kind) of the superblock")
      }
      var cursor = ByteCursor(message.content, base: message.offset)
      try damageOnly("superblock's message") {
        switch kind {
        case .none: break
        case .treeConstants: try checkTreeConstants(&cursor)
        case .fileSpace: try checkFileSpace(&cursor)
        }
      }
    }
  }

  /// How many children nodes of trees may have, which sizes what the library reads.
  private static func checkTreeConstants(_ cursor: inout ByteCursor) throws {
    let version = try cursor.u8()
    let constants = [try cursor.u16(), try cursor.u16(), try cursor.u16()]
    guard version == 0, constants.allSatisfy({ $0 > 0 }) else {
      throw FormatError(.hdf5Error, offset: cursor.offset, found: "nodes of trees without children")
    }
  }

  /// How free space is found, of which a reader needs nothing.
  private static func checkFileSpace(_ cursor: inout ByteCursor) throws {
    let (version, strategy, persists) = (try cursor.u8(), try cursor.u8(), try cursor.u8())
    guard version == 1, strategy <= 3, persists <= 1 else {
      throw FormatError(
        .forbiddenHDF5Feature, offset: cursor.offset, found: "free space of version \(version)")
    }
    _ = try cursor.slice(8)
    let page = try cursor.length64(.hdf5Error)
    guard (512...1 << 30).contains(page) else {
      throw FormatError(.hdf5Error, offset: cursor.offset, found: "pages of \(page) bytes")
    }
    _ = try cursor.slice(10)
    // The addresses of twelve lists of free space.
    if persists == 1 { _ = try cursor.slice(12 * 8) }
  }
}
