import TestSupport
import Testing

@testable import Formats

/// Small recorded files, cut and changed in every place.
@Suite("Damaged files")
struct DamageTests {
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

  /// Every small file that was recorded; HDF5 has its own tests.
  static let small: [String] =
    ["torch", "safetensors", "legacy", "numpy", "npy", "npz", "compressed"].flatMap { folder in
      ((try? directoryEntries(Fixtures.path(folder))) ?? []).map { folder + "/" + $0 }
    }.filter { ((try? InputFile(Fixtures.path($0)).size) ?? .max) <= 2300 }

  @Test func `many files are cut`() { #expect(Self.small.count >= 40) }

  @Test(arguments: small)
  func `no truncation goes unseen`(name: String) throws {
    let directory = try TemporaryDirectory()
    let (path, bytes) = try copy(name, into: directory)
    for count in (0..<bytes.count).reversed() {
      try directory.cut("copy", to: count)
      #expect(throws: FormatError.self, "\(count) bytes") { try contents(of: path) }
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
    let good = try contents(of: path)
    for name in [index, shards[1]] {
      let whole = try bytes(of: "sharded/" + name)
      // The line's end behind the last brace is no part of the JSON.
      let count = name == index ? whole.count - 1 : whole.count
      for count in (0..<count).reversed() {
        try directory.cut(name, to: count)
        #expect(throws: FormatError.self, "\(count) bytes") { try contents(of: path) }
      }
      _ = try directory.write(whole, as: name)
      #expect(try contents(of: path) == good)
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
    let good = try contents(of: path)
    var refused = 0
    for (index, byte) in bytes.enumerated() {
      for bit in 0..<8 where (index + bit).isMultiple(of: step) {
        try directory.change("copy", at: index, to: byte ^ 1 << bit)
        if let found = try? contents(of: path) {
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
        do { _ = try contents(of: path) } catch is FormatError { refused += 1 }
      }
      try directory.change("copy", at: index, to: byte)
    }
    #expect(refused > 0)
  }
}
