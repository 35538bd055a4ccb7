import Support

/// Metadata as a flat JSON object of strings, the form in which containers keep them.
extension CheckpointMetadata {
  /// Compact, sorted by the keys' bytes, so that the same metadata give the same bytes.
  var json: String {
    let sorted = entries.sorted { TensorName($0.key) < TensorName($1.key) }
    let pairs = sorted.map { "\(JSON.quoted($0.key)):\(JSON.quoted($0.value))" }
    return "{\(pairs.joined(separator: ","))}"
  }

  /// Reads the object that comes next.
  ///
  /// - Throws: `FormatError` with code `badMetadata`, `duplicateKey` or `badJSON`.
  init(_ scanner: inout JSONScanner) throws {
    self.init()
    if scanner.skipNull() { return }
    guard scanner.peek() == UInt8(ascii: "{") else { throw Self.malformed(scanner) }
    var keys: Set<TensorName> = []
    var entries: [Entry] = []
    try scanner.object { scanner, key in
      guard scanner.peek() == UInt8(ascii: "\"") else { throw Self.malformed(scanner) }
      entries.append(Entry(key: key, value: try scanner.string()))
      guard keys.insert(TensorName(key)).inserted else {
        throw FormatError(.duplicateKey, offset: scanner.offset, subject: key)
      }
    }
    self.entries = entries
  }

  private static func malformed(_ scanner: JSONScanner) -> FormatError {
    FormatError(.badMetadata, offset: scanner.offset, expected: "strings under string keys")
  }
}
