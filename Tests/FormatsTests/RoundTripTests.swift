import Foundation
import Support
import TestSupport
import Testing

@testable import Formats

/// What any format holds, every other format holds bit by bit.
@Suite("Round trips through every pair of formats")
struct RoundTripTests {
  static let formats: [(name: String, format: OutputFormat)] = [
    ("a.safetensors", OutputFormat(.safeTensors)), ("a.pth", OutputFormat(.torch)),
    ("a.safetensors.zst", OutputFormat(.safeTensors, isCompressed: true)),
    ("a.pth.zst", OutputFormat(.torch, isCompressed: true)),
    ("a.h5", OutputFormat(.hdf5)),
    ("b.h5", OutputFormat(.hdf5, chunkCompression: .zstd(level: 3))),
  ]

  /// The types that every format can hold.
  static let dtypes = DType.allCases.filter {
    $0.byteWidth != nil && $0.isStorableInSafeTensors
  }

  /// 200 sets, unless the environment asks for a soak.
  static let count =
    ProcessInfo.processInfo.environment["WT_SOAK_SETS"].flatMap(Int.init) ?? 200

  @Test func `random sets survive`() throws {
    let directory = try TemporaryDirectory()
    for seed in 0..<Self.count {
      let set = try RandomTensors(seed: UInt64(seed), dtypes: Self.dtypes)
      // Every pair occurs in turn: what one format gave is written to the next.
      let first = Self.formats[seed % Self.formats.count]
      let second = Self.formats[seed / Self.formats.count % Self.formats.count]
      let one = directory.file("1-" + first.name)
      let two = directory.file("2-" + second.name)
      _ = try CheckpointWriter(
        set.tensors, metadata: set.metadata, format: first.format,
        from: { set.reader(of: $0) }
      ).write(to: one, overwrite: true)
      let source = try openCheckpoint(one)
      _ = try CheckpointWriter(
        source.tensors, metadata: source.metadata, format: second.format,
        from: { try source.reader(of: $0) }
      ).write(to: two, overwrite: true)
      try expect(openCheckpoint(two), equals: set, "seed \(seed)")
    }
  }

  private func expect(
    _ copy: any Checkpoint, equals set: RandomTensors, _ label: String
  ) throws {
    #expect(copy.tensors.count == set.tensors.count, "\(label)")
    #expect(copy.metadata == set.metadata, "\(label)")
    for (index, info) in set.tensors.enumerated() {
      let place = try #require(copy.index(of: info.name), "\(label): \(info.name)")
      #expect(copy.tensors[place] == info, "\(label)")
      #expect(try copy.bytes(of: place) == set.bytes[index], "\(label): \(info.name)")
    }
  }

  @Test(arguments: FixtureTests.names)
  func `recorded checkpoints become torch archives and stay the same`(name: String) throws {
    let key = name.contains("two_candidates") ? "model" : nil
    let source = try openCheckpoint(
      Fixtures.path(name), options: CheckpointOptions(key: key))
    let directory = try TemporaryDirectory()
    let target = directory.file("copy.pth")
    _ = try CheckpointWriter(
      source.tensors, metadata: source.metadata, format: OutputFormat(.torch),
      from: { try source.reader(of: $0) }
    ).write(to: target, overwrite: false)
    let copy = try openCheckpoint(target)
    #expect(copy.tensors == source.tensors)
    #expect(try copy.tensorDigests() == source.tensorDigests())
    #expect(copy.metadata == source.metadata)
  }

  @Test(arguments: formats.map(\.name))
  func `the same tensors give the same bytes on any number of threads`(name: String) throws {
    let format = try #require(Self.formats.first { $0.name == name }).format
    let set = try RandomTensors(seed: 77, dtypes: Self.dtypes)
    let directory = try TemporaryDirectory()
    var hashes: Set<String> = []
    for threads in [1, 2, 4] {
      Threads.setCount(threads)
      let path = directory.file("\(threads)-\(name)")
      _ = try CheckpointWriter(
        set.tensors, metadata: set.metadata, format: format, from: { set.reader(of: $0) }
      ).write(to: path, overwrite: false)
      hashes.insert(try InputFile(path).contentHash())
    }
    #expect(hashes.count == 1)
  }
}
