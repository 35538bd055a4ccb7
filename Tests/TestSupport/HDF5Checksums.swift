/// The checksums of a file in HDF5's newer format, so that a forged file can carry right ones.
///
/// Source: HDF5 File Format Specification 3.0, appendix; the sum is Bob Jenkins' `lookup3`.
public struct HDF5Checksums: Sendable {
  private let blocks: [Range<Int>]

  /// Finds the blocks of a sound file: a signature, and further on the sum of all bytes between.
  public init(_ file: [UInt8]) {
    let names = ["OHDR", "OCHK", "FRHP", "FHDB", "FHIB", "BTHD", "BTLF", "BTIN", "FAHD", "FADB"]
    let signatures =
      (names + ["EAHD", "EAIB", "EASB", "EADB"]).map { Array($0.utf8) }
      + [[0x89, 0x48, 0x44, 0x46]]
    blocks = file.indices.dropLast(12).compactMap { start in
      guard signatures.contains(Array(file[start..<start + 4])) else { return nil }
      let ends = start + 8..<min(start + 5000, file.count - 3)
      return ends.first { Self.sum(file[start..<$0]) == Self.stored(file, $0) }
        .map { start..<$0 }
    }
  }

  /// Writes the sums that the blocks have now.
  public func repair(_ file: inout [UInt8]) {
    for block in blocks {
      let sum = Self.sum(file[block])
      for byte in 0..<4 {
        file[block.upperBound + byte] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * byte))
      }
    }
  }

  private static func stored(_ file: [UInt8], _ place: Int) -> UInt32 {
    file[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  private static func sum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    let start = 0xDEAD_BEEF &+ UInt32(bytes.count)
    var (a, b, c) = (start, start, start)
    var rest = bytes
    while rest.count > 12 {
      (a, b, c) = (a &+ word(rest, 0), b &+ word(rest, 4), c &+ word(rest, 8))
      for (index, bits) in [4, 6, 8, 16, 19, 4].enumerated() {
        switch index % 3 {
        case 0: (a, c) = ((a &- c) ^ rotated(c, bits), c &+ b)
        case 1: (b, a) = ((b &- a) ^ rotated(a, bits), a &+ c)
        default: (c, b) = ((c &- b) ^ rotated(b, bits), b &+ a)
        }
      }
      rest = rest.dropFirst(12)
    }
    guard !rest.isEmpty else { return c }
    (a, b, c) = (a &+ word(rest, 0), b &+ word(rest, 4), c &+ word(rest, 8))
    for (index, bits) in [14, 11, 25, 16, 4, 14, 24].enumerated() {
      switch index % 3 {
      case 0: c = (c ^ b) &- rotated(b, bits)
      case 1: a = (a ^ c) &- rotated(c, bits)
      default: b = (b ^ a) &- rotated(a, bits)
      }
    }
    return c
  }

  /// The little-endian number at a place, zeros standing for what is behind the end.
  private static func word(_ bytes: ArraySlice<UInt8>, _ place: Int) -> UInt32 {
    bytes.dropFirst(place).prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  private static func rotated(_ value: UInt32, _ bits: Int) -> UInt32 {
    value << UInt32(bits) | value >> UInt32(32 - bits)
  }
}
