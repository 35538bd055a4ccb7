import TestSupport
import Testing

@testable import Formats

/// Small recorded files, cut and changed in every place.
@Suite("Damaged files")
struct DamageTests {
  /// Names and bytes of all tensors, or an error.
  private func readAll(_ path: String) throws -> [String] {
    let checkpoint = try openCheckpoint(path)
    return try checkpoint.tensors.map { "\($0.name.text) \($0.dtype) \($0.shape)" }
      + checkpoint.tensorDigests()
  }

  private func bytes(of name: String) throws -> [UInt8] {
    let file = try InputFile(Fixtures.path(name))
    return try file.bytes(0..<file.size)
  }

  /// A copy of a recorded file, to be spoiled.
  private func copy(
    _ name: String, into directory: TemporaryDirectory
  ) throws -> (path: String, bytes: [UInt8]) {
    let bytes = try bytes(of: name)
    return (try directory.write(bytes, as: "copy"), bytes)
  }

  @Test(arguments: [
    "torch/plain_protocol2.pth", "torch/deflated.pth", "safetensors/metadata.safetensors",
    "legacy/single.pth", "legacy/parameters.pth", "numpy/scalar_protocol2.pkl",
    "numpy/scalar_protocol5.pkl", "numpy/mask_protocol4.pkl", "numpy/nested_protocol2.pkl",
    "numpy/nested_protocol5.pkl", "npy/version1.npy", "npy/version3.npy", "npy/empty.npy",
    "npy/fortran_big.npy", "npz/small_stored.npz", "npz/small_deflated.npz",
  ])
  func `no truncation goes unseen`(name: String) throws {
    let directory = try TemporaryDirectory()
    let (path, bytes) = try copy(name, into: directory)
    for count in (0..<bytes.count).reversed() {
      try directory.cut("copy", to: count)
      #expect(throws: FormatError.self, "\(count) bytes") { try readAll(path) }
    }
  }

  @Test func `no truncation of an index or a shard goes unseen`() throws {
    let directory = try TemporaryDirectory()
    let index = "model.safetensors.index.json"
    let shards = (1...3).map { "model-0000\($0)-of-00003.safetensors" }
    for name in [index] + shards {
      _ = try directory.write(bytes(of: "sharded/" + name), as: name)
    }
    let path = directory.file(index)
    let good = try readAll(path)
    for name in [index, shards[1]] {
      let whole = try bytes(of: "sharded/" + name)
      // The line's end behind the last brace is no part of the JSON.
      let count = name == index ? whole.count - 1 : whole.count
      for count in (0..<count).reversed() {
        try directory.cut(name, to: count)
        #expect(throws: FormatError.self, "\(count) bytes") { try readAll(path) }
      }
      _ = try directory.write(whole, as: name)
      #expect(try readAll(path) == good)
    }
  }

  /// Every byte of a record is under a checksum, and the headers are held against each other; what
  /// is left, such as the time, says nothing of the tensors.
  @Test(arguments: [
    ("torch/deflated.pth", 3), ("npz/small_stored.npz", 1), ("npz/small_deflated.npz", 1),
  ])
  func `no flipped bit of an archive changes a tensor unseen`(name: String, step: Int) throws {
    let directory = try TemporaryDirectory()
    let (path, bytes) = try copy(name, into: directory)
    let good = try readAll(path)
    var refused = 0
    for (index, byte) in bytes.enumerated() {
      for bit in 0..<8 where (index + bit).isMultiple(of: step) {
        try directory.change("copy", at: index, to: byte ^ 1 << bit)
        if let found = try? readAll(path) {
          #expect(found == good, "byte \(index), bit \(bit)")
        } else {
          refused += 1
        }
      }
      try directory.change("copy", at: index, to: byte)
    }
    #expect(refused > 5 * bytes.count / step)
  }

  /// Where nothing is under a checksum a change may go unseen, but never ends in a crash.
  @Test(arguments: [
    "legacy/single.pth", "numpy/nested_protocol2.pkl", "numpy/nested_protocol5.pkl",
    "npy/fortran_big.npy", "sharded/model.safetensors.index.json",
  ])
  func `a changed byte ends in an error or in tensors`(name: String) throws {
    let directory = try TemporaryDirectory()
    let (path, bytes) = try copy(name, into: directory)
    var refused = 0
    for (index, byte) in bytes.enumerated() {
      for value in [0, 0xFF, byte &+ 1, byte ^ 0x80] where value != byte {
        try directory.change("copy", at: index, to: value)
        do { _ = try readAll(path) } catch is FormatError { refused += 1 }
      }
      try directory.change("copy", at: index, to: byte)
    }
    #expect(refused > 0)
  }
}
