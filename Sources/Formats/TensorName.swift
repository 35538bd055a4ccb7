import Support

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A tensor's name, equal only to the same UTF-8 bytes.
///
/// Swift strings compare by canonical equivalence, under which two tensors of one file, spelled
/// with a composed and a decomposed é, would be one.
public struct TensorName: Hashable, Comparable, Sendable, CustomStringConvertible,
  ExpressibleByStringLiteral
{
  public let text: String

  public init(_ text: String) { self.text = text }
  public init(stringLiteral value: String) { text = value }

  /// The name as it may be printed.
  public var description: String { text.escapedForDisplay.shortened() }

  public static func == (left: Self, right: Self) -> Bool {
    left.withBytes { left in
      right.withBytes { left.count == $0.count && compare(left, $0) == 0 }
    }
  }

  public static func < (left: Self, right: Self) -> Bool {
    left.withBytes { left in
      right.withBytes { right in
        let order = compare(left, right)
        return order != 0 ? order < 0 : left.count < right.count
      }
    }
  }

  public func hash(into hasher: inout Hasher) {
    withBytes { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    hasher.combine(0xFF as UInt8)
  }

  /// Names are compared so often that a byte at a time would show.
  private func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
    text.utf8.withContiguousStorageIfAvailable(body)
      ?? Array(text.utf8).withUnsafeBufferPointer(body)
  }

  /// The order of the bytes that both have: negative, zero or positive.
  private static func compare(
    _ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>
  ) -> CInt {
    guard let first = left.baseAddress, let second = right.baseAddress else { return 0 }
    return memcmp(first, second, min(left.count, right.count))
  }
}
