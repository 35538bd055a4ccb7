/// One record of a TensorBoard event file, and the message in it.
///
/// Source: TensorFlow's `event.proto`, `summary.proto` and `tf_record`.
enum EventRecord {
  /// What every event file begins with.
  static let version = framed(double(1, 0) + text(3, "brain.Event:2"))

  /// Scalars of one step.
  ///
  /// - Parameter wallTime: in seconds since 1970.
  static func scalars(
    step: Int, wallTime: Double, _ values: [(tag: String, value: Double)]
  ) -> [UInt8] {
    var summary: [UInt8] = []
    for item in values {
      summary += bytes(1, text(1, item.tag) + float(2, Float(item.value)))
    }
    let message = double(1, wallTime) + integer(2, step) + bytes(5, summary)
    return framed(message)
  }

  /// The step of an event, zero if it names none; nil for what is no event.
  static func step(of message: ArraySlice<UInt8>) -> Int? {
    var (rest, step) = (message, 0)
    while !rest.isEmpty {
      guard let key = takeVariable(&rest) else { return nil }
      switch key & 7 {
      case 0:
        guard let value = takeVariable(&rest) else { return nil }
        if key >> 3 == 2 { step = Int(truncatingIfNeeded: value) }
      case 1, 5:
        let width = key & 7 == 1 ? 8 : 4
        guard rest.count >= width else { return nil }
        rest = rest.dropFirst(width)
      case 2:
        guard let count = takeVariable(&rest), count <= UInt64(rest.count) else { return nil }
        rest = rest.dropFirst(Int(count))
      default: return nil
      }
    }
    return step
  }

  /// The bytes between two checksums, of their length and of themselves.
  static func framed(_ message: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(message.count))
    return length + littleEndian(CRC32C.masked(length)) + message
      + littleEndian(CRC32C.masked(message))
  }

  static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  // Fields of protocol buffers; one whose value is zero is left out, except of a oneof.

  private static func double(_ field: UInt8, _ value: Double) -> [UInt8] {
    value == 0 ? [] : [field << 3 | 1] + littleEndian(value.bitPattern)
  }

  private static func float(_ field: UInt8, _ value: Float) -> [UInt8] {
    [field << 3 | 5] + littleEndian(value.bitPattern)
  }

  private static func integer(_ field: UInt8, _ value: Int) -> [UInt8] {
    value == 0 ? [] : [field << 3] + variable(UInt64(bitPattern: Int64(value)))
  }

  private static func text(_ field: UInt8, _ value: String) -> [UInt8] {
    value.isEmpty ? [] : bytes(field, Array(value.utf8))
  }

  private static func bytes(_ field: UInt8, _ value: [UInt8]) -> [UInt8] {
    [field << 3 | 2] + variable(UInt64(value.count)) + value
  }

  private static func variable(_ value: UInt64) -> [UInt8] {
    var (rest, result) = (value, [UInt8]())
    while rest >= 0x80 {
      result.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return result + [UInt8(rest)]
  }

  private static func takeVariable(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return value }
    }
    return nil
  }
}
