/// A whole number in a file's headers: where it stands and how it is written.
public struct IntegerField: Sendable {
  public enum Spelling: Sendable { case littleEndian, bigEndian, decimal }

  public var name: String
  public var range: Range<Int>
  public var spelling = Spelling.littleEndian

  public init(_ name: String, _ range: Range<Int>, _ spelling: Spelling = .littleEndian) {
    self.name = name
    self.range = range
    self.spelling = spelling
  }

  /// The bounds that careless readers of numbers fall over.
  static let bounds: [UInt64] = [
    0, 1, 1 << 15 - 1, 1 << 16 - 1, 1 << 31 - 1, 1 << 31, 1 << 32 - 1, 1 << 32, 1 << 63 - 1,
    1 << 63, .max,
  ]

  /// Every lie that the field has room for, in the field's own spelling.
  public func lies(in bytes: [UInt8]) -> [[UInt8]] {
    let written = Array(bytes[range])
    let numbers = Self.bounds.filter { spelling == .decimal || fits($0) }
    var lies = numbers.map(spell) + neighbours(of: written)
    if spelling == .decimal { lies.append(Array("-1".utf8)) }
    return lies.filter { $0 != written }
  }

  /// The file with one lie in it.
  public func replaced(in bytes: [UInt8], by lie: [UInt8]) -> [UInt8] {
    var changed = bytes
    changed.replaceSubrange(range, with: lie)
    return changed
  }

  private func fits(_ number: UInt64) -> Bool {
    range.count >= 8 || number >> UInt64(8 * range.count) == 0
  }

  /// One more and one less than the truth.
  private func neighbours(of written: [UInt8]) -> [[UInt8]] {
    guard let truth = value(written) else { return [] }
    return [spell(truth &+ 1), spell(truth &- 1)]
  }

  private func value(_ written: [UInt8]) -> UInt64? {
    switch spelling {
    case .decimal: return UInt64(String(decoding: written, as: UTF8.self))
    case .bigEndian: return written.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
    case .littleEndian: return written.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  private func spell(_ number: UInt64) -> [UInt8] {
    guard spelling != .decimal else { return Array("\(number)".utf8) }
    let bytes = range.indices.map { index -> UInt8 in
      let place = index - range.lowerBound
      return place < 8 ? UInt8(truncatingIfNeeded: number >> UInt64(8 * place)) : 0
    }
    return spelling == .bigEndian ? bytes.reversed() : bytes
  }
}

/// Goes through a sound file's headers and notes their numbers.
public struct FieldWalker: Sendable {
  public let bytes: [UInt8]
  public var place: Int
  public private(set) var fields: [IntegerField] = []

  public init(_ bytes: [UInt8], at place: Int = 0) {
    self.bytes = bytes
    self.place = place
  }

  /// Notes a little-endian number, and gives its value.
  @discardableResult public mutating func field(_ name: String, _ width: Int) -> Int {
    let range = place..<place + width
    fields.append(IntegerField("\(name) at \(place)", range))
    place += width
    return Int(
      truncatingIfNeeded: bytes[range].reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) })
  }

  /// Passes over bytes that are no number.
  public mutating func skip(_ count: Int) { place += count }

  /// Notes every number that a text spells outside of quotes.
  public static func decimals(in text: [UInt8]) -> [IntegerField] {
    var (fields, quote, start) = ([IntegerField](), nil as UInt8?, nil as Int?)
    for (place, byte) in text.enumerated() {
      let isDigit = quote == nil && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      if isDigit, start == nil { start = place }
      if !isDigit, let first = start {
        fields.append(IntegerField("number at \(first)", first..<place, .decimal))
        start = nil
      }
      if byte == quote {
        quote = nil
      } else if quote == nil, [UInt8(ascii: "\""), UInt8(ascii: "'")].contains(byte) {
        quote = byte
      }
    }
    return fields
  }
}
