/// Reads JSON from bytes, strictly: no byte-order mark, no comments, no trailing comma, no
/// repeated key, and no recursion.
///
/// Source: RFC 8259. General decoders accept what this format must refuse, and turn 1.0 into 1.
package struct JSONScanner {
  private let bytes: [UInt8]
  private let base: Int
  private(set) var position = 0

  package init(_ bytes: [UInt8], base: Int) {
    self.bytes = bytes
    self.base = base
  }

  var offset: Int { base + position }

  /// The next byte that is no white space, or nil at the end; not consumed.
  package mutating func peek() -> UInt8? {
    while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
      position += 1
    }
    return position < bytes.count ? bytes[position] : nil
  }

  mutating func expect(_ character: Unicode.Scalar) throws {
    guard peek() == UInt8(ascii: character) else { throw error("'\(character)'") }
    position += 1
  }

  package mutating func expectEnd() throws {
    if peek() != nil { throw error("the end of the header") }
  }

  /// Reads an object, calling `field` with each key when its value comes next.
  package mutating func object(_ field: (inout JSONScanner, String) throws -> Void) throws {
    try expect("{")
    if peek() == UInt8(ascii: "}") {
      position += 1
      return
    }
    while true {
      let key = try string()
      try expect(":")
      try field(&self, key)
      if try isLast("}") { return }
    }
  }

  /// Reads an array, calling `item` when an element comes next.
  package mutating func array(_ item: (inout JSONScanner) throws -> Void) throws {
    try expect("[")
    if peek() == UInt8(ascii: "]") {
      position += 1
      return
    }
    while true {
      try item(&self)
      if try isLast("]") { return }
    }
  }

  private mutating func isLast(_ close: Unicode.Scalar) throws -> Bool {
    switch peek() {
    case UInt8(ascii: ","):
      position += 1
      return false
    case UInt8(ascii: close):
      position += 1
      return true
    default: throw error("',' or '\(close)'")
    }
  }

  /// Reads a whole number ≥ 0 in plain digits.
  ///
  /// - Throws: `FormatError` with the given code for any other number or value.
  package mutating func count(_ code: FormatError.Code) throws -> Int {
    _ = peek()
    let start = position
    var value = 0
    while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tens.addingReportingOverflow(Int(bytes[position] - 0x30))
      guard !overflow, !carry else {
        throw FormatError(code, offset: base + start, expected: "a number below 2^63")
      }
      value = sum
      position += 1
    }
    let isPlain = position > start && (bytes[start] != 0x30 || position == start + 1)
    guard isPlain, ![0x2E, 0x65, 0x45].contains(position < bytes.count ? bytes[position] : 0) else {
      throw FormatError(code, offset: base + start, expected: "a whole number ≥ 0")
    }
    return value
  }

  package mutating func string() throws -> String {
    try expect("\"")
    let start = position
    var unescaped: [UInt8]?
    while true {
      guard position < bytes.count else { throw error("the end of a string") }
      let byte = bytes[position]
      guard byte >= 0x20 else { throw error("no control character in a string") }
      position += 1
      if byte == UInt8(ascii: "\"") { break }
      if byte == UInt8(ascii: "\\") {
        unescaped = try (unescaped ?? Array(bytes[start..<position - 1])) + escape()
      } else {
        unescaped?.append(byte)
      }
    }
    return try text(unescaped.map { $0[...] } ?? bytes[start..<position - 1], at: start)
  }

  /// A header has five strings a tensor, so that this is what reading it costs.
  private func text(_ content: ArraySlice<UInt8>, at start: Int) throws -> String {
    guard let text = try? UTF8Span(validating: content.span) else {
      throw FormatError(.badJSON, offset: base + start, expected: "UTF-8")
    }
    return String(copying: text)
  }

  private mutating func escape() throws -> [UInt8] {
    guard position < bytes.count else { throw error("an escaped character") }
    let byte = bytes[position]
    position += 1
    let simple: [UInt8: UInt8] = [
      0x22: 0x22, 0x5C: 0x5C, 0x2F: 0x2F, 0x62: 8, 0x66: 12, 0x6E: 10, 0x72: 13, 0x74: 9,
    ]
    if let character = simple[byte] { return [character] }
    guard byte == UInt8(ascii: "u") else { throw error("a known escape") }
    var value = try hexadecimalUnit()
    if (0xD800..<0xDC00).contains(value), position + 1 < bytes.count, bytes[position] == 0x5C,
      bytes[position + 1] == UInt8(ascii: "u")
    {
      position += 2
      let low = try hexadecimalUnit()
      guard (0xDC00..<0xE000).contains(low) else { throw error("a low surrogate") }
      value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(value) else { throw error("no lone surrogate") }
    return Array(String(Character(scalar)).utf8)
  }

  private mutating func hexadecimalUnit() throws -> UInt32 {
    guard position + 4 <= bytes.count,
      bytes[position..<position + 4].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let value = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw error("four hexadecimal digits") }
    position += 4
    return value
  }

  /// Reads over any value, whatever it holds.
  package mutating func skipValue() throws {
    var closers: [UInt8] = []
    repeat {
      switch peek() {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        let isObject = bytes[position] == UInt8(ascii: "{")
        closers.append(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
        guard closers.count <= Budgets.jsonDepth else {
          throw FormatError(
            .jsonDepth, offset: offset, expected: "at most \(Budgets.jsonDepth) levels")
        }
        position += 1
        if peek() == closers.last { break }
        if isObject { try key() }
        continue
      case UInt8(ascii: "\""): _ = try string()
      default: try skipLiteral()
      }
      try close(&closers)
    } while !closers.isEmpty
  }

  private mutating func key() throws {
    _ = try string()
    try expect(":")
  }

  /// Consumes closing brackets, or the comma before the next element.
  private mutating func close(_ closers: inout [UInt8]) throws {
    while let closer = closers.last {
      switch peek() {
      case closer:
        position += 1
        closers.removeLast()
      case UInt8(ascii: ","):
        position += 1
        if closer == UInt8(ascii: "}") { try key() }
        return
      default: throw error("',' or a closing bracket")
      }
    }
  }

  /// Reads over any value and gives its bytes as text, spelled as they are.
  package mutating func literal() throws -> String {
    _ = peek()
    let start = position
    try skipValue()
    return try text(bytes[start..<position], at: start)
  }

  private mutating func skipLiteral() throws {
    for word in ["true", "false", "null"]
    where bytes[min(position, bytes.count)...].starts(with: word.utf8) {
      position += word.utf8.count
      return
    }
    let start = position
    while position < bytes.count, "+-.eE0123456789".utf8.contains(bytes[position]) { position += 1 }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    let digits = text.drop { $0 == "-" }
    guard let first = digits.first, first.isNumber, Double(text) != nil,
      text.last?.isNumber == true, first != "0" || digits.dropFirst().first?.isNumber != true,
      text.first == "-" || first == text.first
    else {
      position = start
      throw error("a value")
    }
  }

  mutating func skipNull() -> Bool {
    guard peek() != nil, bytes[min(position, bytes.count)...].starts(with: "null".utf8) else {
      return false
    }
    position += 4
    return true
  }

  func error(_ expected: String) -> FormatError {
    FormatError(
      .badJSON, offset: offset, expected: expected,
      found: position < bytes.count
        ? "'\(Character(Unicode.Scalar(bytes[position])))'" : "the end")
  }
}
