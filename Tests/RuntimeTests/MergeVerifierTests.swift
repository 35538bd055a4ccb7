import Formats
import Surgery
import TestSupport
import Testing

@testable import Networks
@testable import Numerics
@testable import Verification

/// A merge held against what it was made of.
struct MergeVerifierTests {
  private let golden = GoldenModel(name: "masam-tt")

  @Test(arguments: GoldenModel.withFactors)
  func `a merge agrees with what it was made of, from both sides`(_ golden: GoldenModel) throws {
    var merged = try golden.plan()
    try MergeFactors().apply(to: &merged)
    let levels = try verifier(golden.checkpoint("model")).against(merged)
    #expect(levels.map(\.name) == ["algebra", "forward"])
    #expect(levels.allSatisfy { $0.outcome == .passed }, "\(levels.map(\.detail))")
    let back = try verifier(PlannedCheckpoint(merged, path: "merged")).against(golden.plan())
    #expect(back.allSatisfy { $0.outcome == .passed }, "\(back.map(\.detail))")
  }

  @Test(arguments: ["image_encoder.blocks.1.attn.qkv.weight", "mask_decoder.iou_token.weight"])
  func `a merge with one other number is found`(_ name: String) throws {
    var merged = try golden.plan()
    try MergeFactors().apply(to: &merged)
    let levels = try verifier(golden.damaged(name, at: 7, to: 0.5)).against(merged)
    #expect(levels.map(\.name) == ["algebra", "forward"])
    #expect(levels.map(\.outcome) == [.failed, .notRun] && levels[0].detail.contains(name))
  }

  @Test func `a merge of a resized base speaks of what it merged alone`() throws {
    let plan = try golden.plan()
    let resized = try plan.applying(Resize(imageSize: 96))
    let levels = try verifier(
      PlannedCheckpoint(resized.applying(MergeFactors()), path: "merged")
    ).against(resized)
    #expect(levels[0].outcome == .passed, "\(levels[0].detail)")
    #expect(levels[0].detail.hasPrefix("4 weights are"), "\(levels[0].detail)")
  }

  @Test func `an update of another rank, or of other rows, is found`() throws {
    let base = try golden.plan()
    let width = try #require(try Architecture(base).encoder).attentionWidth
    var merged = base
    try MergeFactors().apply(to: &merged)
    let name: TensorName = "image_encoder.blocks.1.attn.qkv.weight"
    let checkpoint = PlannedCheckpoint(merged, path: "merged")
    let weight = try Tensor(reading: checkpoint, try #require(checkpoint.index(of: name)))
    let columns = weight.shape[1]
    let measure = { (weight: Tensor) throws -> [VerificationReport.Measurement] in
      let directory = try TemporaryDirectory()
      let plan = PlannedCheckpoint(merged, path: "merged")
      let target = directory.file("changed.safetensors")
      _ = try CheckpointWriter(plan.tensors, metadata: plan.metadata) {
        plan.tensors[$0].name == name ? FloatReader(weight) : try plan.reader(of: $0)
      }.write(to: target, overwrite: false)
      let changed = try Blueprint(importing: openCheckpoint(target), toolVersion: "0")
      return try verifier(golden.checkpoint("model")).updates(changed, base, changed: [name])
        .filter { !$0.passes }
    }
    #expect(try measure(weight).isEmpty)
    // One more direction, a thousandth as large as the weights, in v's rows.
    let tilted = weight.copied()
    for index in 2 * width * columns..<3 * width * columns {
      tilted.pointer[index] += index / columns % 2 == 0 ? 1e-4 : Float(index % 3) * 1e-4
    }
    #expect(try measure(tilted).map { $0.name.contains(" v beyond rank") } == [true])
    let other = weight.copied()
    other.pointer[width * columns] = (other.pointer[width * columns]).nextUp
    #expect(try measure(other).map { $0.name.hasSuffix("other rows") } == [true])
  }

  @Test func `a merge with numbers that are none fails its algebra`() throws {
    let plan = try golden.plan()
    let merged = try plan.applying(MergeFactors())
    let directory = try TemporaryDirectory()
    let target = directory.file("merged.safetensors")
    let tensors = PlannedCheckpoint(merged, path: "merged")
    let values = try tensors.tensors.indices.map { try Tensor(reading: tensors, $0) }
    let place = try #require(
      tensors.tensors.firstIndex { $0.name == "image_encoder.blocks.1.attn.qkv.weight" })
    for index in 0..<5 { values[place].pointer[index] = .nan }
    _ = try CheckpointWriter(tensors.tensors, metadata: tensors.metadata) {
      FloatReader(values[$0])
    }
    .write(to: target, overwrite: false)
    let levels = try verifier(openCheckpoint(target)).against(plan)
    #expect(levels[0].name == "algebra" && levels[0].outcome == .failed, "\(levels[0].detail)")
  }

  @Test func `a merge is held to the scale that it says`() throws {
    let plan = try golden.plan()
    let directory = try TemporaryDirectory()
    let target = directory.file("merged.safetensors")
    _ = try plan.applying(MergeFactors(scale: 2)).write(to: target, overwrite: false)
    let levels = try verifier(openCheckpoint(target)).against(plan)
    #expect(levels[0].outcome == .passed, "\(levels[0].detail)")
  }
}
