import Foundation
import TestSupport
import Testing

@testable import Formats

/// The rows of the bad-input table about sharded checkpoints (119 and 120).
@Suite("Hostile shard indices")
struct ShardRowTests {
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var index: [UInt8]
    var code: FormatError.Code
    /// Lays more, or other, files beside the index.
    var prepare: @Sendable (TemporaryDirectory) throws -> Void

    init(
      _ name: String, _ index: String, _ code: FormatError.Code,
      prepare: @escaping @Sendable (TemporaryDirectory) throws -> Void = { _ in }
    ) {
      testDescription = name
      self.index = Array(index.utf8)
      self.code = code
      self.prepare = prepare
    }

    /// A row about where tensor `a` is said to lie.
    init(
      _ name: String, shard: String, _ code: FormatError.Code,
      prepare: @escaping @Sendable (TemporaryDirectory) throws -> Void = { _ in }
    ) {
      self.init(name, ShardRowTests.index(["a": shard]), code, prepare: prepare)
    }
  }

  /// An index of tensors by shard, as JSON with the keys sorted.
  static func index(_ map: [String: String], size: String? = "8") -> String {
    let entries = map.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \"\($0.value)\"" }
    let metadata = size.map { "\"metadata\": {\"total_size\": \($0)}, " } ?? ""
    return "{\(metadata)\"weight_map\": {\(entries.joined(separator: ", "))}}"
  }

  static func shard(_ names: [String], metadata: String = "") -> [UInt8] {
    let tensors = names.enumerated().map { place, name in
      SafeTensorsRowTests.tensor(name, offsets: "[\(4 * place),\(4 * place + 4)]")
    }
    let json = "{\(metadata)\(tensors.joined(separator: ","))}"
    return SafeTensorsRowTests.file(Array(json.utf8), data: 4 * names.count)
  }

  static let good = index(["a": "1.safetensors", "b": "2.safetensors"])

  static let rows: [Row] = [
    Row("119 parent folder", shard: "../x", .badShardPath),
    Row("119 absolute", shard: "/etc/passwd", .badShardPath),
    Row("119 in a folder", shard: "sub/x", .badShardPath),
    Row("119 backslash", shard: "sub\\\\x", .badShardPath),
    Row("119 zero byte", shard: "a\\u0000b", .badShardPath),
    Row("119 the folder itself", shard: ".", .badShardPath),
    Row("119 the folder above", shard: "..", .badShardPath),
    Row("119 no name", shard: "", .badShardPath),
    Row("119 name of 256 bytes", shard: String(repeating: "x", count: 256), .badShardPath),
    Row("119 link out", shard: "link", .badShardPath) {
      try link($0, to: "/etc/passwd")
    },
    Row("119 link to the folder above", shard: "link", .badShardPath) {
      try link($0, to: "../link")
    },
    Row("119 link to itself", shard: "link", .badShardPath) { try link($0, to: "link") },
    Row("119 link to a folder", shard: "link", .badShardPath) { try link($0, to: ".") },
    Row("119 FIFO", shard: "fifo", .notRegularFile) {
      try #require(mkfifo($0.file("fifo"), 0o600) == 0)
    },
    Row("119 device behind a link", shard: "link", .badShardPath) {
      try link($0, to: "/dev/zero")
    },
    Row("119 folder", shard: "folder", .notRegularFile) {
      try FileManager.default.createDirectory(
        atPath: $0.file("folder"), withIntermediateDirectories: false)
    },
    Row("120 no shard", shard: "absent.safetensors", .missingShard),
    Row("120 link to nothing", shard: "link", .missingShard) { try link($0, to: "absent") },
    Row(
      "120 tensor not in its shard", index(["a": "1.safetensors", "c": "1.safetensors"]),
      .missingTensor),
    Row(
      "120 tensor in the other shard", index(["a": "2.safetensors", "b": "1.safetensors"]),
      .missingTensor),
    Row("120 tensor in two shards", good, .duplicateTensor) {
      _ = try $0.write(shard(["b", "a"]), as: "2.safetensors")
    },
    Row("120 too many shards", manyShards, .entryLimit),
    Row("shard of another kind", good, .unsupportedContainer) {
      _ = try $0.write(ZipBuilder.torch(TorchRowTests.good).build(), as: "2.safetensors")
    },
    Row("damaged shard", good, .sizeMismatch) {
      _ = try $0.write(shard(["b"]) + [0], as: "2.safetensors")
    },
    Row("index as its own shard", shard: "hostile.json", .unsupportedContainer),
    Row("tensor twice", "{\"weight_map\": {\"a\": \"1\", \"a\": \"1\"}}", .duplicateKey),
    Row("map twice", "{\"weight_map\": {\"a\": \"1\"}, \"weight_map\": {}}", .duplicateKey),
    Row(
      "size twice",
      "{\"metadata\": {\"total_size\": 1, \"total_size\": 2}, \"weight_map\": {\"a\": \"1\"}}",
      .duplicateKey),
    Row("shard that is a number", "{\"weight_map\": {\"a\": 1}}", .badHeader),
    Row("map that is a list", "{\"weight_map\": []}", .badHeader),
    Row("empty map", "{\"weight_map\": {}}", .noTensors),
    Row("no map", "{\"model_type\": \"sam\"}", .unsupportedContainer),
    Row("map below the top", "{\"x\": {\"weight_map\": {}}}", .unsupportedContainer),
    Row("cut", String(good.dropLast()), .badJSON),
    Row("trailing comma", "{\"weight_map\": {\"a\": \"1.safetensors\",}}", .badJSON),
    Row("bytes behind", good + "x", .badJSON),
    Row("comment", "{/**/\"weight_map\": {}}", .badJSON),
    Row(
      "deep metadata", "{\"metadata\": " + String(repeating: "[", count: 100_000), .jsonDepth),
    Row(
      "long name", index([String(repeating: "n", count: 70_000): "1.safetensors"]), .nameLimit),
  ]

  private static func link(_ directory: TemporaryDirectory, to target: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: directory.file("link"), withDestinationPath: target)
  }

  private static let manyShards: String = {
    let names = (0..<1_000_000).map { "\"t\($0)\": \"\($0)\"" }
    return "{\"weight_map\": {\(names.joined(separator: ","))}}"
  }()

  /// Two good shards and an index.
  static func lay(
    _ index: [UInt8], in directory: TemporaryDirectory
  ) throws -> String {
    _ = try directory.write(shard(["a"]), as: "1.safetensors")
    _ = try directory.write(shard(["b"]), as: "2.safetensors")
    return try directory.write(index, as: "hostile.json")
  }

  @Test(arguments: rows) func `a hostile index is refused by name`(row: Row) throws {
    let directory = try TemporaryDirectory()
    let path = try Self.lay(row.index, in: directory)
    try row.prepare(directory)
    let stopwatch = Stopwatch()
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == row.code, "\(error as Any)")
    #expect(error?.file?.hasPrefix(directory.path) == true)
    #expect(stopwatch.seconds < 2)
  }

  // MARK: - What must not be refused

  @Test(arguments: [
    (good, 0), (index(["a": "1.safetensors", "b": "2.safetensors"], size: nil), 1),
    (index(["a": "1.safetensors", "b": "2.safetensors"], size: "9"), 1),
    (index(["a": "1.safetensors", "b": "2.safetensors"], size: "8.0"), 1),
    (index(["a": "1.safetensors"], size: "4"), 0),
    (" \n{\"weight_map\": {\"b\": \"2.safetensors\"}, \"metadata\": null}\n", 1),
    ("{\"x\": [1.5e3, {}], \"weight_map\": {\"a\": \"1.safetensors\"}}", 1),
    ("{\"x\": \"\(String(repeating: "x", count: 5_000))\",\(good.dropFirst())", 0),
  ])
  func `what the format allows is read`(index: String, notes: Int) throws {
    let directory = try TemporaryDirectory()
    let checkpoint = try openCheckpoint(Self.lay(Array(index.utf8), in: directory))
    #expect(checkpoint.container == .shardedSafeTensors)
    #expect(checkpoint.notes.count == notes, "\(checkpoint.notes)")
    #expect(checkpoint.totalByteCount == 4 * checkpoint.tensors.count)
  }

  @Test func `a link within the folder is followed`() throws {
    let directory = try TemporaryDirectory()
    let path = try Self.lay(Array(Self.index(["a": "link"], size: "4").utf8), in: directory)
    try Self.link(directory, to: "second")
    try FileManager.default.createSymbolicLink(
      atPath: directory.file("second"), withDestinationPath: "1.safetensors")
    #expect(try openCheckpoint(path).tensors.map(\.name) == ["a"])
  }

  @Test func `tensors that the index leaves out are told`() throws {
    let directory = try TemporaryDirectory()
    let path = try Self.lay(Array(Self.good.utf8), in: directory)
    _ = try directory.write(Self.shard(["b", "stray"]), as: "2.safetensors")
    let checkpoint = try openCheckpoint(path)
    #expect(checkpoint.tensors.map(\.name) == ["a", "b"])
    #expect(checkpoint.notes.count == 1 && checkpoint.notes[0].contains("'stray'"))
  }

  @Test func `metadata are the index's, then the shards'`() throws {
    let directory = try TemporaryDirectory()
    let text = Self.good.replacing("8}", with: "8, \"k\": \"index\", \"n\": 3}")
    let path = try Self.lay(Array(text.utf8), in: directory)
    for (name, key) in [("1", "a"), ("2", "b")] {
      let metadata = "\"__metadata__\":{\"k\":\"shard\",\"format\":\"pt\",\"s\":\"\(name)\"},"
      _ = try directory.write(
        Self.shard([key], metadata: metadata), as: "\(name).safetensors")
    }
    let checkpoint = try openCheckpoint(path)
    #expect(
      checkpoint.metadata.entries.map { "\($0.key)=\($0.value)" } == [
        "k=index", "format=pt", "s=1",
      ])
    #expect(checkpoint.notes.count == 2, "\(checkpoint.notes)")
  }

  @Test func `every file counts, is watched and is no output`() throws {
    let directory = try TemporaryDirectory()
    let path = try Self.lay(Array(Self.good.utf8), in: directory)
    let checkpoint = try openCheckpoint(path)
    let sizes = try ["hostile.json", "1.safetensors", "2.safetensors"].map {
      try InputFile(directory.file($0)).size
    }
    #expect(checkpoint.fileSize == sizes.reduce(0, +))
    for name in ["hostile.json", "1.safetensors", "2.safetensors"] {
      #expect(checkpoint.isStored(at: directory.file(name)))
    }
    #expect(!checkpoint.isStored(at: directory.file("absent")))
    try checkpoint.checkUnchanged()
    let handle = try #require(FileHandle(forWritingAtPath: directory.file("2.safetensors")))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data([0]))
    try handle.close()
    let error = #expect(throws: FormatError.self) { try checkpoint.checkUnchanged() }
    #expect(error?.code == .fileChanged)
    #expect(error?.file == directory.file("2.safetensors"))
  }

  @Test func `many metadata are merged in a time that grows with their number`() throws {
    let directory = try TemporaryDirectory()
    let path = try Self.lay(Array(Self.good.utf8), in: directory)
    for (name, key) in [("1", "a"), ("2", "b")] {
      let entries = (0..<20_000).map { "\"\(name).\($0)\":\"\"" } + ["\"same\":\"\(name)\""]
      let metadata = "\"__metadata__\":{\(entries.joined(separator: ","))},"
      _ = try directory.write(Self.shard([key], metadata: metadata), as: "\(name).safetensors")
    }
    let stopwatch = Stopwatch()
    let checkpoint = try openCheckpoint(path)
    #expect(stopwatch.seconds < 10)
    #expect(checkpoint.metadata.entries.count == 40_001)
    #expect(checkpoint.notes == ["the files disagree on metadata 'same'"])
  }
}
