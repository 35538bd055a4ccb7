import Support

/// The parsed and checked header of a safetensors file.
///
/// Source: safetensors' `tensor.rs`; duplicate keys, which the reference overlooks, are refused.
struct SafeTensorsHeader: Sendable {
  struct Entry: Sendable {
    var info: TensorInfo
    /// Bytes from the start of the data.
    var begin: Int
    var end: Int { begin + info.byteCount }
  }

  /// In the order of their data.
  var entries: [Entry] = []
  var metadata = CheckpointMetadata()

  static let lengthBytes = 8
  private static let maxSharedShapes = 1_000

  /// Parses the header's JSON, which lies at byte 8 of the file.
  ///
  /// - Parameter dataBytes: what the file holds after the header; the tensors must fill it.
  /// - Throws: `FormatError` with a safetensors code.
  init(_ json: [UInt8], dataBytes: Int) throws {
    var scanner = JSONScanner(json, base: Self.lengthBytes)
    guard scanner.peek() == UInt8(ascii: "{") else {
      try scanner.skipValue()
      throw FormatError(.badJSON, offset: Self.lengthBytes, expected: "an object")
    }
    var hasMetadata = false
    var shapes: Set<[Int]> = []
    try scanner.object { scanner, key in
      if key == "__metadata__" {
        guard !hasMetadata else { throw duplicate(key, scanner) }
        hasMetadata = true
        metadata = try CheckpointMetadata(&scanner)
      } else {
        guard entries.count < Budgets.tensors else {
          throw FormatError(.tensorLimit, expected: "at most \(Budgets.tensors)")
        }
        entries.append(try Self.entry(&scanner, key, sharing: &shapes))
      }
    }
    try scanner.expectEnd()
    try checkNames()
    try sortAndCheckTiling(dataBytes)
  }

  private static func entry(
    _ scanner: inout JSONScanner, _ key: String, sharing shapes: inout Set<[Int]>
  ) throws -> Entry {
    let at = scanner.offset
    guard key.utf8.count <= Budgets.tensorNameBytes, !key.utf8.contains(0) else {
      throw FormatError(
        .nameLimit, offset: at, subject: key,
        expected: "at most \(Budgets.tensorNameBytes) bytes without a zero")
    }
    var dtype: DType?
    var shape: [Int]?
    var offsets: [Int]?
    guard scanner.peek() == UInt8(ascii: "{") else { throw scanner.error("an object") }
    try naming(key) {
      try scanner.object { scanner, field in
        switch field {
        case "dtype":
          guard dtype == nil else { throw duplicate(field, scanner) }
          dtype = try Self.dtype(&scanner)
        case "shape":
          guard shape == nil else { throw duplicate(field, scanner) }
          shape = try counts(&scanner, .badShape, limit: Budgets.rank)
        case "data_offsets":
          guard offsets == nil else { throw duplicate(field, scanner) }
          offsets = try counts(&scanner, .badHeader, limit: 2)
        default: try scanner.skipValue()
        }
      }
    }
    guard let dtype, let shape, let offsets, offsets.count == 2 else {
      throw FormatError(
        dtype == nil ? .unsupportedDtype : .badHeader, offset: at, subject: key,
        expected: "dtype, shape and two data_offsets")
    }
    let info = try TensorInfo(
      name: TensorName(key), dtype: dtype, shape: shared(shape, among: &shapes))
    return try entry(info, from: offsets[0], to: offsets[1], at)
  }

  /// One array for all tensors of a shape: a hostile header holds a million of them.
  private static func shared(_ shape: [Int], among shapes: inout Set<[Int]>) -> [Int] {
    guard shapes.count < maxSharedShapes else { return shape }
    return shapes.insert(shape).memberAfterInsert
  }

  private static func entry(
    _ info: TensorInfo, from begin: Int, to end: Int, _ at: Int
  ) throws -> Entry {
    guard begin <= end else {
      throw FormatError(
        .offsetOverlap, offset: at, subject: info.name.text,
        expected: "a begin before its end", found: "[\(begin), \(end)]")
    }
    guard end - begin == info.byteCount else {
      throw FormatError(
        .sizeMismatch, offset: at, subject: info.name.text,
        expected: "\(info.byteCount) bytes", found: "\(end - begin)")
    }
    return Entry(info: info, begin: begin)
  }

  private static func dtype(_ scanner: inout JSONScanner) throws -> DType {
    let at = scanner.offset
    guard scanner.peek() == UInt8(ascii: "\"") else {
      throw FormatError(.unsupportedDtype, offset: at, expected: "a name")
    }
    let name = try scanner.string()
    guard let dtype = DType(rawValue: name), dtype.isStorableInSafeTensors else {
      throw FormatError(
        .unsupportedDtype, offset: at, expected: "a dtype of the safetensors format", found: name)
    }
    return dtype
  }

  private static func counts(
    _ scanner: inout JSONScanner, _ code: FormatError.Code, limit: Int
  ) throws -> [Int] {
    guard scanner.peek() == UInt8(ascii: "[") else {
      throw FormatError(code, offset: scanner.offset, expected: "an array")
    }
    var counts: [Int] = []
    try scanner.array { scanner in
      guard counts.count < limit else {
        throw FormatError(code, offset: scanner.offset, expected: "at most \(limit) numbers")
      }
      counts.append(try scanner.count(code))
    }
    return counts
  }

  private func checkNames() throws {
    let order = entries.indices.sorted { entries[$0].info.name < entries[$1].info.name }
    for (first, second) in zip(order, order.dropFirst())
    where entries[first].info.name == entries[second].info.name {
      throw FormatError(.duplicateKey, subject: entries[first].info.name)
    }
  }

  /// The tensors must follow one another without a gap and end where the file ends.
  private mutating func sortAndCheckTiling(_ dataBytes: Int) throws {
    entries.sort { ($0.begin, $0.end) < ($1.begin, $1.end) }
    var position = 0
    for entry in entries {
      guard entry.begin == position else {
        throw FormatError(
          entry.begin > position ? .offsetHole : .offsetOverlap, subject: entry.info.name,
          expected: "data from \(position)", found: "from \(entry.begin)")
      }
      position = entry.end
    }
    guard position == dataBytes else {
      throw FormatError(
        .sizeMismatch, expected: "\(position) bytes of tensors", found: "\(dataBytes)",
        remedy: position > dataBytes
          ? "the file is incomplete: fetch it again" : "something was appended to the file")
    }
  }
}

private func duplicate(_ key: String, _ scanner: JSONScanner) -> FormatError {
  FormatError(.duplicateKey, offset: scanner.offset, subject: key)
}
