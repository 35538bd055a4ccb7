import CZlib

/// Writes zip archives whose every field a test can turn into a lie.
public struct ZipBuilder: Sendable {
  public struct Record: Sendable {
    public var name: String
    public var content: [UInt8]
    public var method: UInt16 = 0
    public var flags: UInt16 = 0
    /// Differences between what is written and what is true.
    public var localName: String?
    public var crc: UInt32?
    public var size: UInt32?
    public var localOffset: UInt32?
    public var attributes: UInt32 = 0
    public var madeBy: UInt16 = 0
    public var extra: [UInt8] = []
    public var directoryExtra: [UInt8] = []
    /// A method that the headers name and the content does not follow.
    public var rawMethod: UInt16?
    public var descriptorCRC: UInt32?

    public init(_ name: String, _ content: [UInt8]) {
      self.name = name
      self.content = content
    }

    public init(_ name: String, _ text: String) { self.init(name, Array(text.utf8)) }
  }

  public var records: [Record]
  public var count: UInt16?
  public var disk: UInt16 = 0
  public var directoryOffset: UInt32?
  public var comment: [UInt8] = []
  public var prefix: [UInt8] = []
  public var suffix: [UInt8] = []
  /// Adds a zip64 record whose locator is off by this much.
  public var zip64Shift: Int?
  public var zip64Count: UInt64?

  public init(_ records: [Record]) { self.records = records }

  public func build() -> [UInt8] {
    var bytes = prefix
    var directory: [UInt8] = []
    for record in records {
      let offset = record.localOffset ?? UInt32(bytes.count)
      let crc = record.crc ?? checksum(record.content)
      let data = record.method == 8 ? deflated(record.content) : record.content
      let size = record.size ?? UInt32(record.content.count)
      let stored = record.method == 8 ? UInt32(data.count) : size
      let streams = record.flags & 8 != 0
      let local = record.localName ?? record.name
      let method = record.rawMethod ?? record.method
      bytes +=
        [0x50, 0x4B, 3, 4] + le(20, 2) + le(record.flags, 2) + le(method, 2) + le(0, 4)
      bytes += streams ? le(0, 12) : le(crc, 4) + le(stored, 4) + le(size, 4)
      bytes +=
        le(local.utf8.count, 2) + le(record.extra.count, 2) + Array(local.utf8) + record.extra
      bytes += data
      if streams {
        bytes +=
          [0x50, 0x4B, 7, 8] + le(record.descriptorCRC ?? crc, 4) + le(stored, 4) + le(size, 4)
      }
      directory += [0x50, 0x4B, 1, 2] + le(record.madeBy, 2) + le(20, 2) + le(record.flags, 2)
      directory += le(method, 2) + le(0, 4) + le(crc, 4) + le(stored, 4) + le(size, 4)
      directory += le(record.name.utf8.count, 2) + le(record.directoryExtra.count, 2) + le(0, 6)
      directory += le(record.attributes, 4) + le(offset, 4) + Array(record.name.utf8)
      directory += record.directoryExtra
    }
    let start = bytes.count
    bytes += directory
    if let zip64Shift {
      let place = bytes.count
      bytes += [0x50, 0x4B, 6, 6] + le(44, 8) + le(45, 4) + le(0, 8)
      let entries = zip64Count ?? UInt64(records.count)
      bytes += le(entries, 8) + le(entries, 8) + le(directory.count, 8) + le(start, 8)
      bytes += [0x50, 0x4B, 6, 7] + le(0, 4) + le(place + zip64Shift, 8) + le(1, 4)
    }
    let entries = count ?? UInt16(clamping: records.count)
    bytes += [0x50, 0x4B, 5, 6] + le(disk, 2) + le(disk, 2) + le(entries, 2) + le(entries, 2)
    bytes += le(directory.count, 4) + le(directoryOffset ?? UInt32(start), 4)
    return bytes + le(comment.count, 2) + comment + suffix
  }

  private func le(_ value: some BinaryInteger, _ width: Int) -> [UInt8] {
    (0..<width).map {
      UInt8(truncatingIfNeeded: UInt64(truncatingIfNeeded: value) >> (8 * min($0, 7)))
    }
  }

  private func checksum(_ bytes: [UInt8]) -> UInt32 {
    UInt32(truncatingIfNeeded: crc32(0, bytes, UInt32(bytes.count)))
  }
}

extension ZipBuilder {
  /// A torch archive around a pickle, with one storage of sixteen bytes.
  public static func torch(
    _ pickle: [UInt8], storage: [UInt8] = [UInt8](1...16), version: String? = "3\n",
    byteorder: String? = "little"
  ) -> ZipBuilder {
    var records = [Record("m/data.pkl", pickle)]
    if let byteorder { records.append(Record("m/byteorder", byteorder)) }
    records.append(Record("m/data/0", storage))
    if let version { records.append(Record("m/version", version)) }
    return ZipBuilder(records)
  }
}
