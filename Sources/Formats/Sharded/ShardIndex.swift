import Support

/// The index of a checkpoint that lies in several safetensors files.
///
/// Source: the `*.safetensors.index.json` of Hugging Face's transformers:
/// `{"metadata": {"total_size": bytes}, "weight_map": {tensor: file}}`.
struct ShardIndex {
  struct Entry: Sendable {
    var tensor: TensorName
    /// A place in `shards`.
    var shard: Int
  }

  /// What the index says of the bytes of all tensors together.
  enum TotalSize: Equatable {
    case missing
    case bytes(Int)
    /// Something else than a whole number.
    case malformed
  }

  /// The files' names, in the order in which they first appear.
  private(set) var shards: [String] = []
  /// In the order of the file.
  private(set) var entries: [Entry] = []
  /// The index's metadata that are text.
  private(set) var metadata = CheckpointMetadata()
  private(set) var totalSize = TotalSize.missing

  private var places: [TensorName: Int] = [:]
  private var names: Set<TensorName> = []

  /// Parses an index.
  ///
  /// - Throws: `FormatError` with code `badJSON`, `jsonDepth`, `duplicateKey`, `badHeader`,
  ///   `badShardPath`, `nameLimit`, `tensorLimit`, `entryLimit`, `noTensors` or
  ///   `unsupportedContainer`.
  init(_ json: [UInt8]) throws {
    var scanner = JSONScanner(json, base: 0)
    var seen: Set<TensorName> = []
    try scanner.object { scanner, key in
      guard seen.insert(TensorName(key)).inserted else { throw Self.repeated(key, scanner) }
      switch key {
      case "weight_map": try readMap(&scanner)
      case "metadata": try readMetadata(&scanner)
      default: try scanner.skipValue()
      }
    }
    try scanner.expectEnd()
    guard seen.contains("weight_map") else {
      throw FormatError(
        .unsupportedContainer, found: "a JSON file that is no index of a sharded checkpoint",
        remedy: "name the file that holds the weights")
    }
    guard !entries.isEmpty else {
      throw FormatError(.noTensors, expected: "tensors in the index's weight_map")
    }
  }

  private mutating func readMap(_ scanner: inout JSONScanner) throws {
    guard scanner.peek() == UInt8(ascii: "{") else {
      throw FormatError(.badHeader, offset: scanner.offset, expected: "an object as weight_map")
    }
    try scanner.object { scanner, tensor in
      let at = scanner.offset
      guard scanner.peek() == UInt8(ascii: "\"") else {
        throw FormatError(.badHeader, offset: at, subject: tensor, expected: "a shard's name")
      }
      let shard = try scanner.string()
      try Self.check(shard, at)
      try add(tensor, in: shard, at)
    }
  }

  private mutating func add(_ tensor: String, in shard: String, _ at: Int) throws {
    guard tensor.utf8.count <= Budgets.tensorNameBytes, !tensor.utf8.contains(0) else {
      throw FormatError(.nameLimit, offset: at, subject: tensor)
    }
    guard entries.count < Budgets.tensors else { throw FormatError(.tensorLimit, offset: at) }
    guard names.insert(TensorName(tensor)).inserted else {
      throw FormatError(.duplicateKey, offset: at, subject: tensor)
    }
    let place = places[TensorName(shard)] ?? shards.count
    if place == shards.count {
      guard shards.count < Budgets.shards else {
        throw FormatError(.entryLimit, offset: at, expected: "at most \(Budgets.shards) shards")
      }
      places[TensorName(shard)] = place
      shards.append(shard)
    }
    entries.append(Entry(tensor: TensorName(tensor), shard: place))
  }

  /// A shard lies beside its index, so its name has no way out of the folder.
  private static func check(_ shard: String, _ at: Int) throws {
    guard isPlain(shard) else {
      throw FormatError(
        .badShardPath, offset: at, subject: shard, expected: "the name of a file beside the index")
    }
  }

  /// Whether a name can stand in an index.
  static func isPlain(_ name: String) -> Bool {
    let bad: Set<UInt8> = [0, UInt8(ascii: "/"), UInt8(ascii: "\\")]
    return (1...255).contains(name.utf8.count) && !name.utf8.contains(where: bad.contains)
      && name != "." && name != ".."
  }

  private mutating func readMetadata(_ scanner: inout JSONScanner) throws {
    guard scanner.peek() == UInt8(ascii: "{") else { return try scanner.skipValue() }
    var seen: Set<TensorName> = []
    try scanner.object { scanner, key in
      guard seen.insert(TensorName(key)).inserted else { throw Self.repeated(key, scanner) }
      if key == "total_size" {
        totalSize = try Self.totalSize(&scanner)
      } else if scanner.peek() == UInt8(ascii: "\"") {
        metadata.entries.append(.init(key: key, value: try scanner.string()))
      } else {
        try scanner.skipValue()
      }
    }
  }

  private static func totalSize(_ scanner: inout JSONScanner) throws -> TotalSize {
    var attempt = scanner
    if let count = try? attempt.count(.badHeader) {
      scanner = attempt
      return .bytes(count)
    }
    try scanner.skipValue()
    return .malformed
  }

  private static func repeated(_ key: String, _ scanner: JSONScanner) -> FormatError {
    FormatError(.duplicateKey, offset: scanner.offset, subject: key)
  }
}
