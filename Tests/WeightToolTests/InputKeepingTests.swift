import Foundation
import TestSupport
import Testing

@Suite("Inputs are never outputs")
struct InputKeepingTests {
  private let directory: TemporaryDirectory
  private let model = Fixtures.path("runtime/masam-tt.model.safetensors")
  private let scan = Fixtures.path("prepare/ct/img/img0007.nii.gz")

  init() throws { directory = try TemporaryDirectory() }

  private func bytes(_ path: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path))
  }

  /// Runs a command that names one of its inputs as an output, and expects the input as it was.
  private func refuses(_ arguments: [String], keeping input: String) throws {
    let before = try bytes(input)
    let outcome = try Tool.run(arguments + ["--force"], in: directory, limit: 4 << 30)
    #expect(outcome.status == 73 && outcome.errors.contains("[outputUnavailable]"), "\(arguments)")
    #expect(try bytes(input) == before, "\(arguments)")
    let left = try directory.entries().filter { $0.contains(".tmp-") || $0.hasPrefix("never") }
    #expect(left.isEmpty, "\(left)")
  }

  @Test func `an input is never an output, by whatever option`() throws {
    let copy = try directory.write(bytes(scan), as: "scan.nii.gz")
    let network = try directory.write(bytes(model), as: "m.safetensors")
    let labels = try directory.write(
      bytes(Fixtures.path("prepare/ct/label/label0007.nii.gz")), as: "gt.nii.gz")
    let rules = try directory.write(
      Data("{intensity: {normalise: none}, orientation: image}".utf8), as: "p.yaml")
    let never = directory.file("never.nii.gz")
    let common = ["predict", network, copy, "--profile", rules, "--box-from", labels]
    for input in [copy, network, labels, rules] {
      try refuses(common + ["-o", never, "--preview", input], keeping: input)
    }
    for input in [copy, labels] { try refuses(common + ["-o", input], keeping: input) }
    try refuses(
      common + ["-o", never, "--preview", directory.path + "/./never.nii.gz"], keeping: copy)
    try refuses(
      common + ["-o", directory.file("never"), "--preview", directory.file("never")],
      keeping: copy)
    for input in [labels, rules] {
      try refuses(
        ["eval", labels, labels, "--profile", rules, "--report", input], keeping: input)
    }
  }

  @Test func `a forward pass writes over no shard and no input`() throws {
    let golden = Fixtures.path("runtime/masam-tt.golden.safetensors")
    let target = directory.file("m.safetensors")
    let split = ["--to", "safetensors", "--shard-size", "400kB"]
    #expect(try Tool.run(["export", model, "-o", target] + split, in: directory).status == 0)
    let shard = directory.file("m-00001-of-00003.safetensors")
    try refuses(["forward", target + ".index.json", golden, "-o", shard], keeping: shard)
    // The name that a shard of the output would have.
    let network = try directory.write(bytes(model), as: "y-00001-of-00002.safetensors")
    try refuses(
      [
        "forward", network, golden, "-o", directory.file("y.safetensors"), "--shard-size", "80kB",
      ], keeping: network)
  }

  @Test func `no file of a source becomes its dataset`() throws {
    let source = directory.file("source")
    try FileManager.default.copyItem(atPath: Fixtures.path("prepare/ct"), toPath: source)
    try FileManager.default.copyItem(
      atPath: source + "/img/img0007.nii.gz", toPath: source + "/img/lonely.nii.gz")
    let rules = try directory.write(
      Data("{intensity: {normalise: none}, orientation: image, classes: [a]}".utf8), as: "p.yaml")
    for input in ["img/img0007.nii.gz", "label/label0035.nii.gz", "img/lonely.nii.gz"] {
      let path = source + "/" + input
      try refuses(["prepare", source, "-o", path, "--profile", rules], keeping: path)
    }
    try refuses(["prepare", source, "-o", rules, "--profile", rules], keeping: rules)
  }
}
