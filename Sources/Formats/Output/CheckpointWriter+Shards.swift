import Support

/// Sharded output: several safetensors files and the index that finds each tensor's.
///
/// Names and index follow Hugging Face's convention: `NAME-00001-of-00003.safetensors` and
/// `NAME.safetensors.index.json`.
extension CheckpointWriter {
  /// Files of a sharded output, and which tensors go to each.
  struct Shards {
    var places: [[Int]]
    /// Their names, which the index holds.
    var names: [String]
    var paths: [String]
    var index: String
  }

  /// How the tensors are split, or nil if they go to the target itself.
  ///
  /// - Throws: `FormatError` with code `outputUnavailable` for more shards than can be read, or names
  ///   that cannot stand in an index.
  func shards(at target: String) throws -> Shards? {
    guard let limit = format.shardBytes, totalByteCount > limit else { return nil }
    try Self.checkShardNames(of: target)
    let places = split(limit)
    guard places.count <= Budgets.shards else {
      throw FormatError(
        .outputUnavailable, file: target, expected: "at most \(Budgets.shards) shards",
        found: "\(places.count)", remedy: "give a larger --shard-size")
    }
    let names = places.indices.map { Self.shardName($0, of: places.count, target) }
    let paths = names.map { parentDirectory(of: target) + "/" + $0 }
    return Shards(places: places, names: names, paths: paths, index: target + ".index.json")
  }

  /// The files that writing to a target makes, in their order.
  ///
  /// - Throws: `FormatError` with code `outputUnavailable` for too many.
  public func files(at target: String) throws -> [String] {
    try shards(at: target).map { $0.paths + [$0.index] } ?? [target]
  }

  func write(
    _ shards: Shards, overwrite: Bool, validate: () throws -> Void
  ) throws -> WriteSummary {
    precondition(format.container == .safeTensors && !format.isCompressed)
    for path in shards.paths + [shards.index] {
      try AtomicFile.checkTarget(path, overwrite: overwrite, fileSystem)
    }
    // Each is closed when it is done, so that no number of shards uses up the descriptors.
    var outputs = try zip(shards.paths, shards.places).map { path, places in
      let output = try shard(places).plain(to: path, overwrite: overwrite)
      try output.makeDurable()
      return output
    }
    outputs.append(try writeIndex(shards, overwrite: overwrite))
    try validate()
    // The index comes last: without it nobody takes the shards for a model.
    try AtomicFileSet.commit(outputs, fileSystem: fileSystem)
    return WriteSummary(
      path: shards.index, files: shards.paths + [shards.index],
      byteCount: outputs.reduce(0) { $0 + $1.byteCount }, tensorCount: tensors.count)
  }

  /// Fills shards in the order of the names, so that what belongs together stays together.
  private func split(_ limit: Int) -> [[Int]] {
    var shards: [[Int]] = [[]]
    var size = 0
    for index in tensors.indices.sorted(by: { tensors[$0].name < tensors[$1].name }) {
      let count = tensors[index].byteCount
      if size + count > limit, !shards[shards.count - 1].isEmpty {
        shards.append([])
        size = 0
      }
      shards[shards.count - 1].append(index)
      size += count
    }
    return shards
  }

  /// Refuses a target of which shards could not have their names, before any work is done.
  ///
  /// - Throws: `FormatError` with code `outputUnavailable`.
  public static func checkShardNames(of target: String) throws {
    let name = shardName(0, of: 1, target)
    guard ShardIndex.isPlain(name) else {
      throw FormatError(
        .outputUnavailable, file: target, expected: "a name of which shards can have theirs",
        found: name, remedy: "give a short one without a backslash")
    }
  }

  private static func shardName(_ place: Int, of count: Int, _ target: String) -> String {
    let name = lastComponent(of: target)
    let suffix = ".safetensors"
    let stem = name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : name
    return "\(stem)-\(digits(place + 1))-of-\(digits(count))\(suffix)"
  }

  private static func digits(_ number: Int) -> String {
    let text = "\(number)"
    return String(repeating: "0", count: max(0, 5 - text.count)) + text
  }

  /// A writer for some of the tensors; every shard carries the metadata.
  private func shard(_ places: [Int]) -> CheckpointWriter {
    CheckpointWriter(
      places.map { tensors[$0] }, metadata: metadata, format: OutputFormat(),
      fileSystem: fileSystem, progress: progress, reference: reference,
      from: { try source(places[$0]) })
  }
}
