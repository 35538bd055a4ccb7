import Crypto

/// A running SHA-256.
public struct ContentHash: Sendable {
  private var state = SHA256()

  public init() {}

  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    state.update(bufferPointer: bytes)
  }

  public mutating func update(_ text: String) {
    var text = text
    text.withUTF8 { state.update(bufferPointer: UnsafeRawBufferPointer($0)) }
  }

  public mutating func update(_ value: UInt64) {
    withUnsafeBytes(of: value.littleEndian) { state.update(bufferPointer: $0) }
  }

  /// The digest as 64 lower-case hexadecimal digits.
  public func hexDigest() -> String {
    hexadecimal(state.finalize())
  }
}

/// Lower-case hexadecimal digits, two a byte.
public func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  for byte in bytes {
    text.append(digits[Int(byte >> 4)])
    text.append(digits[Int(byte & 15)])
  }
  return String(decoding: text, as: UTF8.self)
}
