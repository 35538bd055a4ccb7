import Formats

/// A tensor name with numbers left open: `image_encoder.blocks.{i}.norm1.weight`.
///
/// `{i}` stands for a decimal number without leading zeros, `{i:03}` for one padded to three
/// digits, and `{2*i+1:03}` for a number from which `i` follows.
public struct NameTemplate: Sendable, Equatable {
  struct Hole: Sendable, Equatable {
    var symbol: String
    var factor = 1
    var offset = 0
    var width = 1
  }

  enum Part: Sendable, Equatable {
    case literal(String)
    case hole(Hole)
  }

  public let text: String
  let parts: [Part]
  /// The text with every number replaced, by which names that could match are found fast.
  let shape: String

  /// - Throws: `SurgeryError` with code `badManifest`.
  public init(_ text: String) throws {
    self.text = text
    var parts: [Part] = []
    var rest = text[...]
    while let open = rest.firstIndex(of: "{") {
      guard let close = rest[open...].firstIndex(of: "}") else {
        throw SurgeryError(.badManifest, subject: text, expected: "a closing brace")
      }
      if open > rest.startIndex { parts.append(.literal(String(rest[..<open]))) }
      parts.append(.hole(try Self.hole(rest[rest.index(after: open)..<close], in: text)))
      rest = rest[rest.index(after: close)...]
    }
    if !rest.isEmpty { parts.append(.literal(String(rest))) }
    self.parts = parts
    shape = Self.masked(
      parts.map { if case .literal(let text) = $0 { text } else { "0" } }.joined())
  }

  private static func hole(_ source: Substring, in text: String) throws -> Hole {
    var hole = Hole(symbol: "")
    let halves = source.split(separator: ":", maxSplits: 1)
    if halves.count == 2 {
      guard halves[1].hasPrefix("0"), let width = Int(halves[1]), (1...9).contains(width) else {
        throw SurgeryError(.badManifest, subject: text, expected: "a width such as 03")
      }
      hole.width = width
    }
    var expression = halves.first ?? ""
    if let plus = expression.firstIndex(of: "+"),
      let offset = Int(expression[expression.index(after: plus)...])
    {
      hole.offset = offset
      expression = expression[..<plus]
    }
    if let star = expression.firstIndex(of: "*"), let factor = Int(expression[..<star]), factor > 0
    {
      hole.factor = factor
      expression = expression[expression.index(after: star)...]
    }
    guard !expression.isEmpty, expression.allSatisfy(\.isLetter) else {
      throw SurgeryError(.badManifest, subject: text, expected: "a symbol in braces")
    }
    hole.symbol = String(expression)
    return hole
  }

  /// The symbols that the template leaves open.
  public var symbols: [String] {
    parts.compactMap { if case .hole(let hole) = $0 { hole.symbol } else { nil } }
  }

  /// The numbers for which the template gives this name, or nil.
  public func match(_ name: TensorName) -> [String: Int]? {
    var rest = Array(name.text.utf8)[...]
    var values: [String: Int] = [:]
    for part in parts {
      switch part {
      case .literal(let text):
        guard rest.starts(with: text.utf8) else { return nil }
        rest = rest.dropFirst(text.utf8.count)
      case .hole(let hole):
        let digits = rest.prefix { (0x30...0x39).contains($0) }
        guard let value = Self.value(digits, hole), values[hole.symbol, default: value] == value
        else { return nil }
        values[hole.symbol] = value
        rest = rest.dropFirst(digits.count)
      }
    }
    return rest.isEmpty ? values : nil
  }

  /// More blocks or classes than any model has; ranges of them are walked.
  private static let largestIndex = 1 << 16

  private static func value(_ digits: ArraySlice<UInt8>, _ hole: Hole) -> Int? {
    guard (hole.width...9).contains(digits.count),
      digits.count == hole.width || digits.first != 0x30,
      let number = Int(String(decoding: digits, as: UTF8.self))
    else { return nil }
    let (value, rest) = (number - hole.offset).quotientAndRemainder(dividingBy: hole.factor)
    return rest == 0 && number >= hole.offset && value <= largestIndex ? value : nil
  }

  /// The name for given numbers.
  public func name(_ values: [String: Int]) -> TensorName {
    var text = ""
    for part in parts {
      switch part {
      case .literal(let literal): text += literal
      case .hole(let hole):
        let digits = "\(hole.factor * (values[hole.symbol] ?? 0) + hole.offset)"
        text += String(repeating: "0", count: max(0, hole.width - digits.count)) + digits
      }
    }
    return TensorName(text)
  }

  /// A name with each run of digits replaced by `#`.
  static func masked(_ text: String) -> String {
    var result: [UInt8] = []
    for byte in text.utf8 {
      let isDigit = (0x30...0x39).contains(byte)
      if !isDigit { result.append(byte) } else if result.last != 0x23 { result.append(0x23) }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
