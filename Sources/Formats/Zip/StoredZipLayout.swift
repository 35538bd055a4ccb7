/// Where the records of a zip archive of stored entries lie, and the headers between them.
///
/// The framing is the one that torch writes: sizes and checksums in descriptors behind the data,
/// data at multiples of `alignment` by padding in the extra field, a zip64 end record always.
/// Source: caffe2/serialize/inline_container.cc and miniz; APPNOTE.TXT §4.3.
struct StoredZipLayout: Sendable {
  struct Record: Sendable {
    var name: String
    var size: Int
    var headerOffset = 0
    var dataOffset = 0

    /// What the 32-bit fields cannot hold goes into an extra field, and the descriptor widens.
    var isWide: Bool { size >= 0xFFFF_FFFF }
    var hasWideOffset: Bool { headerOffset >= 0xFFFF_FFFF }
    fileprivate var descriptorSize: Int { size == 0 ? 0 : isWide ? 24 : 16 }
    fileprivate var dataEnd: Int { dataOffset + size }
  }

  private(set) var records: [Record]
  private let directoryOffset: Int
  let fileSize: Int

  private static let alignment = 64
  private static let largestSize = 1 << 61
  private static let endRecordsSize = 56 + 20 + 22

  /// - Throws: `FormatError` with code `overflow`.
  init(_ sizes: [(name: String, size: Int)]) throws {
    var end = 0
    records = try sizes.map { name, size in
      // No file is that large, and below it no sum can overflow.
      guard end < Self.largestSize, size < Self.largestSize else {
        throw FormatError(.overflow, subject: name)
      }
      var record = Record(name: name, size: size, headerOffset: end)
      record.dataOffset = Self.dataOffset(record)
      end = record.dataEnd + record.descriptorSize
      return record
    }
    directoryOffset = end
    fileSize =
      end + records.reduce(0) { $0 + Self.centralSize($1) } + Self.endRecordsSize
  }

  /// Behind the header, its name, the zip64 field if there is one, and padding.
  private static func dataOffset(_ record: Record) -> Int {
    let start =
      record.headerOffset + 30 + record.name.utf8.count + localZip64(record).count + 4
    return (start + alignment - 1) / alignment * alignment
  }

  private static func centralSize(_ record: Record) -> Int {
    46 + record.name.utf8.count + centralZip64(record).count
  }

  /// The headers, descriptors and directory.
  ///
  /// - Parameter checksums: the CRC-32 of each record.
  func framing(_ checksums: [UInt32]) -> [FramingPiece] {
    var pieces: [FramingPiece] = []
    var directory: [UInt8] = []
    for (record, checksum) in zip(records, checksums) {
      pieces.append(FramingPiece(offset: record.headerOffset, bytes: Self.local(record)))
      if record.size > 0 {
        pieces.append(
          FramingPiece(offset: record.dataEnd, bytes: Self.descriptor(record, checksum)))
      }
      directory += Self.central(record, checksum)
    }
    let end = endRecords(directorySize: directory.count)
    pieces.append(FramingPiece(offset: directoryOffset, bytes: directory + end))
    return pieces
  }

  /// Bit 11 says UTF-8; bit 3 that a descriptor follows, which an empty record has not.
  private static func flags(_ record: Record) -> UInt16 { record.size > 0 ? 0x0808 : 0x0800 }

  private static func local(_ record: Record) -> [UInt8] {
    var bytes: [UInt8] = [0x50, 0x4B, 3, 4]
    bytes.append(littleEndian: UInt16(0))
    bytes.append(littleEndian: flags(record))
    bytes += [UInt8](repeating: 0, count: 18)
    bytes.append(littleEndian: UInt16(record.name.utf8.count))
    let zip64 = localZip64(record)
    let padding = record.dataOffset - record.headerOffset - 30 - record.name.utf8.count
    bytes.append(littleEndian: UInt16(padding))
    bytes += record.name.utf8
    bytes += zip64
    bytes += [0x46, 0x42]
    let fill = padding - zip64.count - 4
    bytes.append(littleEndian: UInt16(fill))
    return bytes + [UInt8](repeating: 0x5A, count: fill)
  }

  private static func descriptor(_ record: Record, _ checksum: UInt32) -> [UInt8] {
    var bytes: [UInt8] = [0x50, 0x4B, 7, 8]
    bytes.append(littleEndian: checksum)
    for _ in 0..<2 {
      if record.isWide {
        bytes.append(littleEndian: UInt64(record.size))
      } else {
        bytes.append(littleEndian: UInt32(record.size))
      }
    }
    return bytes
  }

  private static func central(_ record: Record, _ checksum: UInt32) -> [UInt8] {
    var bytes: [UInt8] = [0x50, 0x4B, 1, 2]
    bytes.append(littleEndian: UInt32(0))
    bytes.append(littleEndian: flags(record))
    bytes += [UInt8](repeating: 0, count: 6)
    bytes.append(littleEndian: checksum)
    let size = record.isWide ? UInt32.max : UInt32(record.size)
    bytes.append(littleEndian: size)
    bytes.append(littleEndian: size)
    bytes.append(littleEndian: UInt16(record.name.utf8.count))
    let zip64 = centralZip64(record)
    bytes.append(littleEndian: UInt16(zip64.count))
    bytes += [UInt8](repeating: 0, count: 10)
    bytes.append(littleEndian: record.hasWideOffset ? UInt32.max : UInt32(record.headerOffset))
    return bytes + record.name.utf8 + zip64
  }

  /// The local header's 32-bit sizes stay zero for the descriptor to tell, so its field says what
  /// the directory's will.
  private static func localZip64(_ record: Record) -> [UInt8] { zip64(record, withOffset: false) }

  private static func centralZip64(_ record: Record) -> [UInt8] { zip64(record, withOffset: true) }

  private static func zip64(_ record: Record, withOffset: Bool) -> [UInt8] {
    var values: [Int] = record.isWide ? [record.size, record.size] : []
    if withOffset, record.hasWideOffset { values.append(record.headerOffset) }
    guard !values.isEmpty else { return [] }
    var bytes: [UInt8] = [1, 0]
    bytes.append(littleEndian: UInt16(8 * values.count))
    for value in values { bytes.append(littleEndian: UInt64(value)) }
    return bytes
  }

  private func endRecords(directorySize: Int) -> [UInt8] {
    var bytes: [UInt8] = [0x50, 0x4B, 6, 6]
    bytes.append(littleEndian: UInt64(44))
    bytes += [0x1E, 3, 0x2D, 0]
    bytes += [UInt8](repeating: 0, count: 8)
    for value in [records.count, records.count, directorySize, directoryOffset] {
      bytes.append(littleEndian: UInt64(value))
    }
    let end = directoryOffset + directorySize
    bytes += [0x50, 0x4B, 6, 7]
    bytes.append(littleEndian: UInt32(0))
    bytes.append(littleEndian: UInt64(end))
    bytes.append(littleEndian: UInt32(1))
    bytes += [0x50, 0x4B, 5, 6, 0, 0, 0, 0]
    for _ in 0..<2 { bytes.append(littleEndian: UInt16(clamping: records.count)) }
    bytes.append(littleEndian: UInt32(clamping: directorySize))
    bytes.append(littleEndian: UInt32(clamping: directoryOffset))
    return bytes + [0, 0]
  }
}
