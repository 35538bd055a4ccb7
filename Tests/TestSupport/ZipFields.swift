/// The numbers of a sound zip archive without a comment.
public enum ZipFields {
  private static let endBytes = 22
  private static let locatorBytes = 20

  public static func fields(of archive: [UInt8]) -> [IntegerField] {
    var walker = FieldWalker(archive, at: archive.count - endBytes)
    walker.skip(4)
    for name in ["disk", "directory's disk", "entries here"] { walker.field(name, 2) }
    let count = walker.field("entries", 2)
    walker.field("directory size", 4)
    let directory = walker.field("directory offset", 4)
    walker.field("comment length", 2)
    locator(&walker, at: archive.count - endBytes - locatorBytes)
    walker.place = directory
    for _ in 0..<count { entry(&walker) }
    return walker.fields
  }

  /// The zip64 records, if there are any.
  private static func locator(_ walker: inout FieldWalker, at place: Int) {
    walker.place = place
    guard signature(walker, [6, 7]) else { return }
    walker.skip(4)
    walker.field("locator disk", 4)
    let end = walker.field("locator offset", 8)
    walker.field("locator disks", 4)
    walker.place = end + 4
    walker.field("zip64 size", 8)
    for name in ["zip64 made by", "zip64 needed"] { walker.field(name, 2) }
    for name in ["zip64 disk", "zip64 directory's disk"] { walker.field(name, 4) }
    for name in ["entries here", "entries", "directory size", "directory offset"] {
      walker.field("zip64 \(name)", 8)
    }
  }

  private static func entry(_ walker: inout FieldWalker) {
    walker.skip(4)
    walker.field("central made by", 2)
    let (flags, sizes) = common(&walker, "central")
    let (name, extra) = (walker.field("central name", 2), walker.field("central extra", 2))
    for field in ["comment", "disk", "internal"] { walker.field("central \(field)", 2) }
    walker.field("central external", 4)
    let offset = walker.field("central offset", 4)
    walker.skip(name)
    let large = extras(&walker, extra)
    let next = walker.place
    // A full field stands for the one in the zip64 extra, the compressed size behind the other.
    let count = sizes.stored == 0xFFFF_FFFF ? large.last ?? 0 : sizes.stored
    local(&walker, at: offset, dataCount: count, hasDescriptor: flags & 8 != 0)
    walker.place = next
  }

  private static func local(
    _ walker: inout FieldWalker, at place: Int, dataCount: Int, hasDescriptor: Bool
  ) {
    walker.place = place + 4
    _ = common(&walker, "local")
    let (name, extra) = (walker.field("local name", 2), walker.field("local extra", 2))
    walker.skip(name)
    _ = extras(&walker, extra)
    walker.skip(dataCount)
    guard hasDescriptor, signature(walker, [7, 8]) else { return }
    walker.skip(4)
    for field in ["crc", "stored", "size"] { walker.field("descriptor \(field)", 4) }
  }

  /// What both headers hold, from the version that is needed to the sizes.
  private static func common(
    _ walker: inout FieldWalker, _ header: String
  ) -> (flags: Int, sizes: (stored: Int, full: Int)) {
    walker.field("\(header) needed", 2)
    let flags = walker.field("\(header) flags", 2)
    for name in ["method", "time", "date"] { walker.field("\(header) \(name)", 2) }
    walker.field("\(header) crc", 4)
    return (flags, (walker.field("\(header) stored", 4), walker.field("\(header) size", 4)))
  }

  /// Notes the extra fields' own fields, and gives the numbers of a zip64 one.
  private static func extras(_ walker: inout FieldWalker, _ count: Int) -> [Int] {
    var numbers: [Int] = []
    let end = walker.place + count
    while walker.place + 4 <= end {
      let (id, size) = (walker.field("extra id", 2), walker.field("extra size", 2))
      if id == 1 {
        numbers = (0..<size / 8).map { _ in walker.field("zip64 extra", 8) }
      } else {
        walker.skip(size)
      }
    }
    walker.place = end
    return numbers
  }

  private static func signature(_ walker: FieldWalker, _ end: [UInt8]) -> Bool {
    walker.bytes[walker.place...].starts(with: [0x50, 0x4B] + end)
  }
}
