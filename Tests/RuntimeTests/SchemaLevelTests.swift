import Formats
import Surgery
import TestSupport
import Testing

@testable import Networks
@testable import Numerics
@testable import Verification

/// What the schema level of a verification finds besides tensors that are not there.
struct SchemaLevelTests {
  private func schema(_ model: any Checkpoint) throws -> VerificationReport.Level {
    let levels =
      switch try Verifier.examine(toolVersion: "0", open: { model }) {
      case .failed(let levels): levels
      case .model(let verifier): try verifier.ownLevels(base: nil)
      }
    return try #require(levels.first { $0.name == "schema" })
  }

  private func schema(
    _ name: String, _ change: (inout Blueprint) throws -> Void
  ) throws -> VerificationReport.Level {
    var plan = try GoldenModel(name: name).plan()
    try change(&plan)
    return try schema(PlannedCheckpoint(plan, path: "changed"))
  }

  @Test(arguments: [
    ("masam-tt", "wt.image_size", "128", "badMetadata"),
    ("masam-tt", "wt.image_size", "x", "badMetadata"),
    ("masam-tt", "wt.family", "sam", "badMetadata"),
    ("masam-tt", "wt.family", "none", "badMetadata"),
    ("masam-tt", "wt.family", "unheard of", "badMetadata"),
    ("sam-one-slice", "wt.family", "masam-delta", "badMetadata"),
    ("masam-tt", "wt.merged", "tt", "unsupportedModel"),
  ])
  func `metadata that contradict the tensors fail`(
    name: String, key: String, value: String, code: String
  ) throws {
    let sound = try schema(name) { _ in }
    #expect(sound.outcome == .passed, "\(sound.detail)")
    let level = try schema(name) { $0.metadata[key] = value }
    #expect(level.outcome == .failed && level.detail.contains("[\(code)]"), "\(level.detail)")
    #expect(level.detail.contains(key) && level.detail.contains(value), "\(level.detail)")
  }

  @Test func `whatever surgery makes says what it is`() throws {
    var adapted = try GoldenModel(name: "masam-tt").plan()
    adapted.metadata["wt.family"] = "masam"
    let others: Set<TensorName> = ["image_encoder.neck.0.weight"]
    let plans = [
      adapted, try adapted.applying(MergeFactors()), try adapted.applying(ExtractDelta()),
      try adapted.applying(ExtractDelta(and: others)), try adapted.applying(Resize(imageSize: 96)),
    ]
    for plan in plans {
      let level = try schema(PlannedCheckpoint(plan, path: "made"))
      #expect(level.outcome == .passed, "\(level.detail)")
    }
  }

  @Test func `a family that only its file tells from another may be named`() throws {
    let level = try schema("sam-one-slice") { $0.metadata["wt.family"] = "medsam" }
    #expect(level.outcome == .passed, "\(level.detail)")
  }

  @Test func `complex numbers are none that a model can be calculated with`() throws {
    let source = try GoldenModel(name: "masam-tt").checkpoint("model")
    let place = try #require(source.index(of: "mask_decoder.iou_token.weight"))
    let numbers = Tensor(repeating: 1, shape: [2, source.tensors[place].elementCount])
    let infos = try source.tensors.enumerated().map { index, info in
      guard index == place else { return info }
      return try TensorInfo(name: info.name, dtype: .complex64, shape: info.shape)
    }
    let directory = try TemporaryDirectory()
    let target = directory.file("complex.safetensors")
    _ = try CheckpointWriter(infos, metadata: source.metadata) {
      $0 == place ? FloatReader(numbers) : try source.reader(of: $0)
    }.write(to: target, overwrite: false)
    let level = try schema(openCheckpoint(target))
    #expect(level.outcome == .failed && level.detail.contains("real numbers"), "\(level.detail)")
  }
}
