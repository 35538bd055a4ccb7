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

  static let refused: [(name: String, code: FormatError.Code)] = [
    ("torchscript.pt", .unsupportedContainer), ("whole_module.pth", .tensorInOpaqueObject),
    ("quantised.pth", .unsupportedTensor), ("sparse.pth", .unsupportedTensor),
    ("meta.pth", .noTensorData),
  ]

  @Test(arguments: refused)
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
}
