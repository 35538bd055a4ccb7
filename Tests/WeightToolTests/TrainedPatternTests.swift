import Formats
import Foundation
import TestSupport
import Testing

/// Whatever is trained, what comes of it goes back to its base.
@Suite("Training of chosen tensors")
struct TrainedPatternTests {
  private let directory: TemporaryDirectory
  private let base = Fixtures.path("surgery/base.pth")

  init() throws { directory = try TemporaryDirectory() }

  struct Choice: Sendable, CustomTestStringConvertible {
    var name: String
    var factors = "tt"
    var options: [String]
    var testDescription: String { name }
  }

  private static let choices = [
    Choice(name: "what MA-SAM trains", options: []),
    Choice(name: "one block's qkv besides", options: ["--train-pattern", "blocks.0.attn.qkv"]),
    Choice(
      name: "weights of the encoder instead of factors", factors: "none",
      options: ["--train-pattern", "attn.qkv"]),
    Choice(name: "LoRA and the neck", factors: "lora", options: ["--train-pattern", "neck"]),
    Choice(name: "everything", options: ["--train-pattern", "."]),
    Choice(
      name: "everything but the neck",
      options: ["--train-pattern", ".", "--freeze-pattern", "neck"]),
  ]

  private func run(_ arguments: String...) throws -> Tool.Outcome {
    try Tool.run(arguments + ["--quiet"], in: directory, limit: 4 << 30)
  }

  @Test(arguments: choices) func `a delta and its base are the model again`(
    _ choice: Choice
  ) throws {
    let (model, batches) = (directory.file("model.safetensors"), directory.file("b.safetensors"))
    let adapted = try run(
      "adapt", base, "-o", model, "--classes", "2", "--image-size", "64", "--slices", "1", "--rank",
      "4", "--adapter-channels", "8", "--fact-kind", choice.factors)
    #expect(adapted.status == 0, "\(adapted.errors)")
    var content = FixedBatches()
    content.label = 1
    try content.write(to: batches)
    let trained = try Tool.run(
      [
        "train", model, "--batches", batches, "-o", directory.file("run"), "--steps", "2",
        "--warmup", "0", "--quiet",
      ] + choice.options, in: directory, limit: 4 << 30)
    #expect(trained.status == 0, "\(trained.errors)")
    let delta = directory.file("run") + "/checkpoints/step-00000002/delta.safetensors"
    let whole = directory.file("whole.safetensors")
    let applied = try run("apply", delta, "--base", base, "-o", whole)
    #expect(applied.status == 0, "\(applied.errors)")
    try expectUnion(of: delta, and: model, in: whole)
    let merged = try run("merge-fact", delta, "--base", base, "-o", directory.file("m.safetensors"))
    #expect(merged.status == (choice.factors == "none" ? 65 : 0), "\(merged.errors)")
    #expect(choice.factors != "none" || merged.errors.contains("wt apply"))
  }

  /// What was trained is the delta's, everything else the model's, and so is what metadata says.
  private func expectUnion(of delta: String, and model: String, in whole: String) throws {
    let (delta, model, whole) = (
      try openCheckpoint(delta), try openCheckpoint(model), try openCheckpoint(whole)
    )
    #expect(Set(whole.tensors.map(\.name)) == Set(model.tensors.map(\.name)))
    var changed = 0
    for (place, tensor) in whole.tensors.enumerated() {
      let before = try model.bytes(of: #require(model.index(of: tensor.name)))
      let expected = try delta.index(of: tensor.name).map { try delta.bytes(of: $0) } ?? before
      #expect(try whole.bytes(of: place) == expected, "\(tensor.name)")
      if expected != before { changed += 1 }
    }
    #expect(changed > 0)
    for key in ["fact_scale", "fact_blocks", "slices", "global_blocks", "base"] {
      #expect(whole.metadata["wt." + key] == model.metadata["wt." + key], "\(key)")
    }
  }
}
