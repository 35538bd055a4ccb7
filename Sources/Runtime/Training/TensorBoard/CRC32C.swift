/// The CRC-32 of Castagnoli's polynomial, as TFRecord files carry it.
///
/// Source: RFC 3720, section 12.1; the mask is TensorFlow's `crc32c::Mask`.
enum CRC32C {
  /// What each byte does to the remainder, for the reflected polynomial 0x82F63B78.
  private static let table: [UInt32] = (0...UInt8.max).map { byte in
    var rest = UInt32(byte)
    for _ in 0..<8 { rest = rest & 1 == 1 ? (rest >> 1) ^ 0x82F6_3B78 : rest >> 1 }
    return rest
  }

  static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var rest = UInt32.max
    for byte in bytes {
      rest = (rest >> 8) ^ table[Int(UInt8(truncatingIfNeeded: rest) ^ byte)]
    }
    return ~rest
  }

  /// The checksum in the form that may stand among bytes that are themselves summed.
  static func masked(_ bytes: some Sequence<UInt8>) -> UInt32 {
    let sum = checksum(bytes)
    return ((sum >> 15) | (sum << 17)) &+ 0xA282_EAD8
  }
}
