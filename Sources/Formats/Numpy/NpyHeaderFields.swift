/// The three fields of a `.npy` header, read by the grammar of the literals that numpy writes.
///
/// numpy evaluates the text as Python; this knows a dictionary, strings, `True`, `False` and tuples
/// of whole numbers, and nothing nests.
struct NpyHeaderFields {
  private(set) var description = ""
  private(set) var isFortran = false
  private(set) var shape: [Int] = []

  private let bytes: [UInt8]
  private let base: Int
  private var position = 0

  /// Parses the text, which must hold each field once and nothing else.
  ///
  /// - Parameter base: where the text lies in its file.
  /// - Throws: `FormatError` with code `badNpyHeader`, `badShape` or `unsupportedDtype`.
  init(_ bytes: [UInt8], base: Int) throws {
    self.bytes = bytes
    self.base = base
    var missing: Set = ["descr", "fortran_order", "shape"]
    try expect("{")
    while !skip("}") {
      let at = position
      let key = try string()
      guard missing.remove(key) != nil else {
        position = at
        throw error("each of descr, fortran_order and shape once", found: "'\(key)'")
      }
      try expect(":")
      try readValue(of: key)
      guard skip(",") || peek() == UInt8(ascii: "}") else { throw error("',' or '}'") }
    }
    guard peek() == nil else { throw error("the end of the header") }
    guard missing.isEmpty else {
      throw error("descr, fortran_order and shape", found: "no \(missing.sorted()[0])")
    }
  }

  private mutating func readValue(of key: String) throws {
    switch key {
    case "descr": description = try typeDescription()
    case "fortran_order": isFortran = try boolean()
    default: shape = try extents()
    }
  }

  /// A type is a string; a list or tuple of fields is a record.
  private mutating func typeDescription() throws -> String {
    if let first = peek(), "[({".utf8.contains(first) {
      throw FormatError(
        .unsupportedDtype, offset: base + position,
        expected: "booleans, integers, floats or complex numbers", found: "records",
        remedy: "store every field as an array of its own")
    }
    return try string()
  }

  private mutating func boolean() throws -> Bool {
    if skip("True") { return true }
    if skip("False") { return false }
    throw error("True or False")
  }

  /// A tuple of whole numbers ≥ 0; one number alone needs a comma behind it.
  private mutating func extents() throws -> [Int] {
    guard skip("(") else { throw badShape("a tuple") }
    var extents: [Int] = []
    var endsWithComma = true
    while !skip(")") {
      guard endsWithComma else { throw badShape("',' or ')'") }
      guard extents.count < Budgets.rank else {
        throw FormatError(
          .rankLimit, offset: base + position, expected: "at most \(Budgets.rank) dimensions")
      }
      extents.append(try extent())
      endsWithComma = skip(",")
    }
    guard extents.count != 1 || endsWithComma else { throw badShape("a tuple, not a number") }
    return extents
  }

  private mutating func extent() throws -> Int {
    _ = peek()
    let start = position
    while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
    let digits = bytes[start..<position]
    guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1 else {
      throw badShape("a whole number ≥ 0")
    }
    // Python 2 wrote its long integers with an L.
    if position < bytes.count, bytes[position] == UInt8(ascii: "L") { position += 1 }
    guard let next = peek(), next == UInt8(ascii: ",") || next == UInt8(ascii: ")") else {
      throw badShape("a whole number")
    }
    guard let value = Int(String(decoding: digits, as: UTF8.self)) else {
      throw FormatError(.overflow, offset: base + start, expected: "a size that fits 63 bits")
    }
    return value
  }

  /// A string in single or double quotes; numpy escapes nothing in the strings that it writes.
  private mutating func string() throws -> String {
    guard let quote = peek(), quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
      throw error("a string")
    }
    let start = position + 1
    guard let end = bytes[start...].firstIndex(of: quote) else { throw error("a closing quote") }
    let content = bytes[start..<end]
    guard content.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else {
      throw error("plain characters in a string")
    }
    position = end + 1
    return String(decoding: content, as: UTF8.self)
  }

  // MARK: - Tokens

  /// The next byte that is no white space, or nil at the end; not consumed.
  private mutating func peek() -> UInt8? {
    while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
      position += 1
    }
    return position < bytes.count ? bytes[position] : nil
  }

  /// Consumes the word if it comes next.
  private mutating func skip(_ word: String) -> Bool {
    guard peek() != nil, bytes[position...].starts(with: word.utf8) else { return false }
    position += word.utf8.count
    return true
  }

  private mutating func expect(_ word: String) throws {
    guard skip(word) else { throw error("'\(word)'") }
  }

  private func error(_ expected: String, found: String? = nil) -> FormatError {
    FormatError(
      .badNpyHeader, offset: base + position, expected: expected, found: found ?? next)
  }

  private func badShape(_ expected: String) -> FormatError {
    FormatError(.badShape, offset: base + position, expected: expected, found: next)
  }

  private var next: String {
    guard position < bytes.count else { return "the end" }
    return "'\(Character(Unicode.Scalar(bytes[position])))'"
  }
}
