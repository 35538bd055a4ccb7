import Support

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
    left.text.utf8.elementsEqual(right.text.utf8)
  }

  public static func < (left: Self, right: Self) -> Bool {
    left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
  }

  public func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(byte) }
    hasher.combine(0xFF as UInt8)
  }
}
