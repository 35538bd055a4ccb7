import Support

/// A checkpoint in several safetensors files, opened by its index.
///
/// Every file stays open until the checkpoint goes away, so that what is read is what was checked.
final class ShardedSafeTensors: Checkpoint {
  let container = ContainerKind.shardedSafeTensors
  let tensors: [TensorInfo]
  let metadata: CheckpointMetadata
  let notes: [String]
  private let index: InputFile
  private let shards: [SafeTensorsFile]
  /// For each tensor its shard and its place there.
  private let places: [(shard: Int, index: Int)]

  var path: String { index.path }
  var fileSize: Int { shards.reduce(index.size) { $0 + $1.fileSize } }

  /// Reads the index and the header of every shard.
  ///
  /// - Throws: `FormatError` with code `headerTooLarge`, `badShardPath`, `missingShard`,
  ///   `notRegularFile`, `missingTensor`, `duplicateTensor`, or one of the index or of safetensors.
  init(_ file: InputFile) throws {
    guard file.size <= Budgets.safeTensorsHeaderBytes else {
      throw FormatError(
        .headerTooLarge, expected: "at most \(Budgets.safeTensorsHeaderBytes) bytes",
        found: "\(file.size)")
    }
    let parsed = try ShardIndex(file.bytes(0..<file.size))
    index = file
    shards = try parsed.shards.map { try Self.open($0, beside: file) }
    let merge = try ShardMerge(parsed, shards)
    places = merge.places
    tensors = merge.places.map { [shards] in shards[$0.shard].tensors[$0.index] }
    metadata = merge.metadata
    notes = merge.notes
  }

  func checkUnchanged() throws {
    try index.checkUnchanged()
    for shard in shards { try shard.checkUnchanged() }
  }

  func reader(of index: Int) throws -> any TensorReader {
    try shards[places[index].shard].reader(of: places[index].index)
  }

  func mapped(_ index: Int) throws -> MappedBytes? {
    try shards[places[index].shard].mapped(places[index].index)
  }

  func isStored(at path: String) -> Bool {
    index.isSameFile(as: path) || shards.contains { $0.isStored(at: path) }
  }

  private static func open(_ name: String, beside index: InputFile) throws -> SafeTensorsFile {
    let shard = try index.sibling(name)
    return try naming(file: shard.path) {
      guard try FileKind.detect(shard) == .safeTensors else {
        throw FormatError(
          .unsupportedContainer, expected: "a safetensors file", found: "a shard of another kind",
          remedy: "import the shards one by one")
      }
      return try SafeTensorsFile(shard)
    }
  }
}

/// Holds an index and its shards against each other.
struct ShardMerge {
  private(set) var places: [(shard: Int, index: Int)] = []
  private(set) var metadata: CheckpointMetadata
  private(set) var notes: [String] = []

  /// Finds every tensor of the index where the index says, and nowhere else.
  ///
  /// - Throws: `FormatError` with code `missingTensor` or `duplicateTensor`.
  init(_ index: ShardIndex, _ shards: [SafeTensorsFile]) throws {
    metadata = index.metadata
    var found: [TensorName: (shard: Int, index: Int)] = [:]
    for (shard, file) in shards.enumerated() {
      for (place, info) in file.tensors.enumerated() {
        if let first = found.updateValue((shard, place), forKey: info.name) {
          throw FormatError(
            .duplicateTensor, subject: info.name, expected: "one shard",
            found: "'\(index.shards[first.shard])' and '\(index.shards[shard])'")
        }
      }
    }
    for entry in index.entries {
      guard let place = found.removeValue(forKey: entry.tensor), place.shard == entry.shard else {
        throw FormatError(
          .missingTensor, subject: entry.tensor, expected: "it in '\(index.shards[entry.shard])'")
      }
      places.append(place)
    }
    noteStrays(found.keys.sorted())
    noteTotalSize(index.totalSize, places.map { shards[$0.shard].tensors[$0.index].byteCount })
    add(shards.map(\.metadata))
  }

  private mutating func noteStrays(_ names: [TensorName]) {
    guard !names.isEmpty else { return }
    notes.append(
      "\(names.count) tensor(s) of the shards are not in the index and were left out: "
        + names.lazy.map { "'\($0)'" }.firstTen)
  }

  private mutating func noteTotalSize(_ claim: ShardIndex.TotalSize, _ sizes: [Int]) {
    let total = sizes.reduce(0, +)
    switch claim {
    case .bytes(total): return
    case .bytes(let other):
      notes.append("the index gives a total_size of \(other); the tensors have \(total) bytes")
    case .missing: notes.append("the index gives no total_size; the tensors have \(total) bytes")
    case .malformed: notes.append("the index's total_size is no whole number")
    }
  }

  /// The index comes first, then the shards in their order; what differs is told once.
  private mutating func add(_ metadata: [CheckpointMetadata]) {
    var values: [TensorName: TensorName] = [:]
    for entry in self.metadata.entries { values[TensorName(entry.key)] = TensorName(entry.value) }
    var told: Set<TensorName> = []
    for entry in metadata.lazy.flatMap(\.entries) {
      let (key, value) = (TensorName(entry.key), TensorName(entry.value))
      if let same = values[key] {
        guard same != value, told.insert(key).inserted else { continue }
        notes.append("the files disagree on metadata '\(entry.key.escapedForDisplay.shortened())'")
      } else {
        values[key] = value
        self.metadata.entries.append(entry)
      }
    }
  }
}
