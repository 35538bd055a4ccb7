import Support

/// The index of a sharded output.
extension CheckpointWriter {
  /// Writes the index to a durable temporary file and reads it back.
  func writeIndex(_ shards: Shards, overwrite: Bool) throws -> AtomicFile {
    let map = zip(shards.names, shards.places).flatMap { name, places in
      places.map { (tensor: tensors[$0].name, shard: name) }
    }.sorted { $0.tensor < $1.tensor }
    let bytes = indexText(map)
    let output = try AtomicFile(
      target: shards.index, size: bytes.count, overwrite: overwrite, fileSystem: fileSystem)
    try bytes.withUnsafeBytes { try output.write($0, at: 0) }
    let file = try InputFile(output.temporary, fileSystem: fileSystem)
    try compare(try naming(file: shards.index) { try ShardIndex(file.bytes(0..<file.size)) }, map)
    try output.makeDurable()
    return output
  }

  private func indexText(_ map: [(tensor: TensorName, shard: String)]) -> [UInt8] {
    let lines = map.map { "    \(JSON.quoted($0.tensor.text)): \(JSON.quoted($0.shard))" }
    let text =
      "{\n  \"metadata\": {\n    \"total_size\": \(totalByteCount)\n  },\n"
      + "  \"weight_map\": {\n" + lines.joined(separator: ",\n") + "\n  }\n}\n"
    return Array(text.utf8)
  }

  private func compare(
    _ index: ShardIndex, _ map: [(tensor: TensorName, shard: String)]
  ) throws {
    let isSame =
      index.totalSize == .bytes(totalByteCount) && index.entries.count == map.count
      && zip(index.entries, map).allSatisfy {
        $0.tensor == $1.tensor && index.shards[$0.shard].utf8.elementsEqual($1.shard.utf8)
      }
    guard isSame else { throw FormatError(.readBackMismatch, found: "another index") }
  }
}
