import Support
import TestSupport
import Testing

@testable import Formats

@Suite("Checkpoints that PyTorch, safetensors and numpy wrote")
struct FixtureTests {
  static let names = (try? Fixtures.expected().keys.sorted()) ?? []

  @Test func `there are fixtures`() { #expect(Self.names.count >= 80) }

  @Test(arguments: names) func `every tensor is bit by bit what was saved`(name: String) throws {
    let expected = try #require(try Fixtures.expected()[name])
    let key = name.contains("two_candidates") ? "model" : nil
    let checkpoint = try openCheckpoint(
      Fixtures.path(name), options: CheckpointOptions(key: key))
    let digests = try checkpoint.tensorDigests()
    #expect(checkpoint.tensors.count == expected.count)
    for (info, digest) in zip(checkpoint.tensors, digests) {
      let bare = Self.bare(info.name.text)
      let tensor = try #require(expected[bare], "\(bare) is not expected")
      #expect(info.dtype.rawValue == tensor.dtype, "\(bare)")
      #expect(info.shape == tensor.shape, "\(bare)")
      #expect(digest == tensor.sha256, "\(bare)")
    }
  }

  /// The fixtures' expected names are without the prefixes that Surgery strips.
  private static func bare(_ name: String) -> String {
    for prefix in ["module.", "_orig_mod."] where name.hasPrefix(prefix) {
      return String(name.dropFirst(prefix.count))
    }
    return name
  }

  @Test(arguments: [
    ("torchscript.pt", FormatError.Code.unsupportedContainer),
    ("whole_module.pth", .tensorInOpaqueObject),
    ("quantised.pth", .unsupportedTensor), ("sparse.pth", .unsupportedTensor),
    ("meta.pth", .noTensorData),
  ])
  func `what cannot be read is refused by name`(name: String, code: FormatError.Code) {
    let error = #expect(throws: FormatError.self) {
      try openCheckpoint(Fixtures.path("refused/" + name))
    }
    #expect(error?.code == code)
  }

  @Test func `two candidates ask for a key`() {
    let error = #expect(throws: FormatError.self) {
      try openCheckpoint(Fixtures.path("torch/two_candidates.pth"))
    }
    #expect(error?.code == .ambiguousRoot)
  }

  @Test func `objects beside the tensors are named once and left alone`() throws {
    let found = try openCheckpoint(Fixtures.path("torch/training.pth")).surroundings
    #expect(found.wrapper == ["model"])
    #expect(found.inertObjects.contains("argparse.Namespace"))
    #expect(found.siblings.contains("optimizer"))
  }

  @Test func `tensors that share a storage are known`() throws {
    let checkpoint = try #require(
      try openCheckpoint(Fixtures.path("torch/shared.pth")) as? TorchCheckpoint)
    #expect(checkpoint.sharedTensors == [[0, 1, 2, 3]])
  }

  /// Cutting a file anywhere must be noticed when it is opened or read.
  @Test(arguments: [
    "torch/plain_protocol2.pth", "torch/deflated.pth", "safetensors/metadata.safetensors",
  ])
  func `no truncation goes unseen`(name: String) throws {
    let directory = try TemporaryDirectory()
    let file = try InputFile(Fixtures.path(name))
    let bytes = try file.bytes(0..<file.size)
    for count in 0..<bytes.count {
      let path = try directory.write(bytes[..<count], as: "cut")
      #expect(throws: FormatError.self, "\(count) bytes") { try readAll(path) }
    }
  }

  /// Every byte of a zip archive's data is under a checksum; its headers are held against each other.
  @Test func `no flipped bit changes a tensor unseen`() throws {
    let directory = try TemporaryDirectory()
    let file = try InputFile(Fixtures.path("torch/deflated.pth"))
    var bytes = try file.bytes(0..<file.size)
    let path = try directory.write(bytes, as: "flipped")
    let good = try readAll(path)
    for index in bytes.indices {
      for bit in 0..<8 where (index + bit).isMultiple(of: 3) {
        bytes[index] ^= 1 << bit
        _ = try directory.write(bytes, as: "flipped")
        if let found = try? readAll(path) { #expect(found == good, "byte \(index), bit \(bit)") }
        bytes[index] ^= 1 << bit
      }
    }
  }

  private func readAll(_ path: String) throws -> [String] {
    let checkpoint = try openCheckpoint(path)
    return try checkpoint.tensors.map(\.name.text) + checkpoint.tensorDigests()
  }
}
