import Support

/// Sharded output: several safetensors files and the index that finds each tensor's.
///
/// Names and index follow Hugging Face's convention: `NAME-00001-of-00003.safetensors` and
/// `NAME.safetensors.index.json`.
extension CheckpointWriter {
  func writeShards(
    of limit: Int, to target: String, overwrite: Bool, validate: () throws -> Void
  ) throws -> WriteSummary {
    precondition(format.container == .safeTensors && !format.isCompressed)
    let shards = split(limit)
    let names = shards.indices.map { shardName($0, of: shards.count, target) }
    let index = target + ".index.json"
    let paths = names.map { parentDirectory(of: target) + "/" + $0 }
    for path in paths + [index] {
      try AtomicFile.checkTarget(path, overwrite: overwrite, fileSystem)
    }
    // Each is closed when it is done, so that no number of shards uses up the descriptors.
    var outputs = try zip(paths, shards).map { path, places in
      let output = try shard(places).plain(to: path, overwrite: overwrite)
      try output.makeDurable()
      return output
    }
    outputs.append(try writeIndex(names, shards, to: index, overwrite: overwrite))
    try validate()
    // The index comes last: without it nobody takes the shards for a model.
    try AtomicFileSet.commit(outputs, fileSystem: fileSystem)
    return WriteSummary(
      path: index, files: paths + [index],
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

  private func shardName(_ place: Int, of count: Int, _ target: String) -> String {
    let name = lastComponent(of: target)
    let suffix = ".safetensors"
    let stem = name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : name
    return "\(stem)-\(digits(place + 1))-of-\(digits(count))\(suffix)"
  }

  private func digits(_ number: Int) -> String {
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

  private func writeIndex(
    _ names: [String], _ shards: [[Int]], to path: String, overwrite: Bool
  ) throws -> AtomicFile {
    let map = zip(names, shards).flatMap { name, places in
      places.map { (tensors[$0].name, name) }
    }
    let lines = map.sorted { $0.0 < $1.0 }.map {
      "    \(JSON.quoted($0.0.text)): \(JSON.quoted($0.1))"
    }
    let text =
      "{\n  \"metadata\": {\n    \"total_size\": \(totalByteCount)\n  },\n"
      + "  \"weight_map\": {\n" + lines.joined(separator: ",\n") + "\n  }\n}\n"
    let bytes = Array(text.utf8)
    let output = try AtomicFile(
      target: path, size: bytes.count, overwrite: overwrite, fileSystem: fileSystem)
    try bytes.withUnsafeBytes { try output.write($0, at: 0) }
    try output.makeDurable()
    return output
  }
}
