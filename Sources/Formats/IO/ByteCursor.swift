/// Something that hands out bytes in order and can make little-endian numbers of them.
protocol ByteSource {
  /// Where the next byte lies, for error messages.
  var offset: Int { get }
  mutating func u8() throws -> UInt8
  /// The next `count` bytes, which are then behind.
  mutating func slice(_ count: Int) throws -> ArraySlice<UInt8>
}

extension ByteSource {
  mutating func u16() throws -> UInt16 { try integer() }
  mutating func u32() throws -> UInt32 { try integer() }
  mutating func u64() throws -> UInt64 { try integer() }
  mutating func i32() throws -> Int32 { Int32(bitPattern: try integer()) }

  /// A 64-bit length or offset that must also fit a signed 64-bit number.
  mutating func length64(_ code: FormatError.Code) throws -> Int {
    let at = offset
    let value = try u64()
    guard let length = Int(exactly: value) else {
      throw FormatError(code, offset: at, expected: "a length below 2^63", found: "\(value)")
    }
    return length
  }

  private mutating func integer<Value: FixedWidthInteger>() throws -> Value {
    try slice(MemoryLayout<Value>.size).reversed().reduce(0) {
      $0 << 8 | Value(truncatingIfNeeded: $1)
    }
  }
}

/// Reads little-endian values from a byte array without ever leaving it.
///
/// The position counts from the start of the array; `base` is where the array lies in its file,
/// so that errors name the file's own offset.
struct ByteCursor: ByteSource {
  let bytes: [UInt8]
  let base: Int
  private(set) var position = 0
  /// One past the last byte that may be read.
  private(set) var end: Int

  init(_ bytes: [UInt8], base: Int = 0) {
    self.bytes = bytes
    self.base = base
    end = bytes.count
  }

  var remaining: Int { end - position }
  var offset: Int { base + position }
  var isAtEnd: Bool { position >= end }

  /// The range of the next `count` bytes, which are then behind the cursor.
  mutating func take(_ count: Int, _ code: FormatError.Code = .truncated) throws -> Range<Int> {
    guard count >= 0, count <= remaining else {
      throw FormatError(
        code, offset: offset, expected: "\(count) more bytes", found: "\(remaining)")
    }
    defer { position += count }
    return position..<position + count
  }

  mutating func slice(_ count: Int) throws -> ArraySlice<UInt8> {
    try bytes[take(count)]
  }

  mutating func u8() throws -> UInt8 { bytes[try take(1).lowerBound] }
}
