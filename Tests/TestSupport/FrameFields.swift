/// The numbers around compressed content.
public enum FrameFields {
  /// A zstd frame's header, block headers and checksum (RFC 8878, §3.1.1).
  public static func zstd(_ frame: [UInt8]) -> [IntegerField] {
    var walker = FieldWalker(frame, at: 4)
    let descriptor = walker.field("descriptor", 1)
    let isSingleSegment = descriptor & 0x20 != 0
    if !isSingleSegment { walker.field("window", 1) }
    optional(&walker, "dictionary", [0, 1, 2, 4][descriptor & 3])
    optional(&walker, "content size", [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6])
    var isLast = false
    while !isLast {
      let header = walker.field("block header", 3)
      isLast = header & 1 != 0
      let isRun = header >> 1 & 3 == 1
      walker.skip(isRun ? 1 : header >> 3)
    }
    optional(&walker, "checksum", descriptor & 4 != 0 ? 4 : 0)
    return walker.fields
  }

  /// A gzip member's header, extra field and trailer (RFC 1952, §2.3).
  public static func gzip(_ member: [UInt8]) -> [IntegerField] {
    var walker = FieldWalker(member, at: 2)
    walker.field("method", 1)
    let flags = walker.field("flags", 1)
    walker.field("time", 4)
    for name in ["extra flags", "system"] { walker.field(name, 1) }
    if flags & 4 != 0 { walker.field("extra length", 2) }
    walker.place = member.count - 8
    for name in ["checksum", "content size"] { walker.field(name, 4) }
    return walker.fields
  }

  private static func optional(_ walker: inout FieldWalker, _ name: String, _ width: Int) {
    if width > 0 { walker.field(name, width) }
  }
}
