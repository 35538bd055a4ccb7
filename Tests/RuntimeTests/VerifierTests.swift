import Formats
import Foundation
import Surgery
import TestSupport
import Testing

@testable import Networks
@testable import Numerics
@testable import Verification

struct VerifierTests {
  private let golden = GoldenModel(name: "masam-tt")

  /// The model with one number of one tensor changed.
  private func damaged(_ name: String, at index: Int, to value: Float) throws -> any Checkpoint {
    let source = try golden.checkpoint("model")
    let directory = try TemporaryDirectory()
    let place = try #require(source.index(of: TensorName(name)))
    let target = directory.path + "/damaged.safetensors"
    let tensors = try source.tensors.indices.map { try Tensor(reading: source, $0) }
    tensors[place].pointer[index] = value
    _ = try CheckpointWriter(source.tensors, metadata: source.metadata) {
      FloatReader(tensors[$0])
    }.write(to: target, overwrite: false)
    let checkpoint = try openCheckpoint(target)
    // The open file outlives its name.
    return withExtendedLifetime(directory) { checkpoint }
  }

  private func verifier(_ model: any Checkpoint) throws -> Verifier {
    try Verifier(model, toolVersion: "0")
  }

  @Test func `a sound model passes what can be checked without another file`() throws {
    let levels = try verifier(golden.checkpoint("model")).ownLevels(base: nil)
    #expect(levels.map(\.name) == ["container", "schema", "finite", "provenance"])
    #expect(levels.map(\.outcome) == [.passed, .passed, .passed, .skipped])
  }

  @Test(arguments: [
    ("cut", "container", "sizeMismatch"), ("flipped", "container", "crcMismatch"),
    ("incomplete", "schema", "schemaMismatch"), ("reshaped", "schema", "schemaMismatch"),
  ])
  func `a damaged file fails its level and the rest is not run`(
    kind: String, level: String, code: String
  ) throws {
    let directory = try TemporaryDirectory()
    let path = try damagedFile(kind, in: directory)
    let subject = try Verifier.examine(toolVersion: "0") { try openCheckpoint(path) }
    let levels =
      switch subject {
      case .failed(let levels): levels
      case .model(let verifier): try verifier.ownLevels(base: nil)
      }
    #expect(levels.map(\.name) == ["container", "schema", "finite", "provenance"])
    let place = try #require(levels.firstIndex { $0.name == level })
    #expect(levels[place].outcome == .failed && levels[place].detail.contains(code), "\(levels)")
    #expect(levels[..<place].allSatisfy { $0.outcome == .passed })
    #expect(levels[(place + 1)...].allSatisfy { $0.outcome == .notRun })
  }

  private func damagedFile(_ kind: String, in directory: TemporaryDirectory) throws -> String {
    var bytes = Array(
      try Data(contentsOf: URL(fileURLWithPath: Fixtures.path("torch/sam_tiny.pth"))))
    switch kind {
    case "cut":
      let model = try Data(
        contentsOf: URL(fileURLWithPath: Fixtures.path("runtime/masam-tt.model.safetensors")))
      return try directory.write(Array(model.dropLast(100)), as: "cut.safetensors")
    case "flipped":
      bytes[bytes.count / 2] ^= 1
      return try directory.write(bytes, as: "flipped.pth")
    default:
      let source = try golden.checkpoint("model")
      let required = source.index(of: "mask_decoder.iou_token.weight")
      let kept = source.tensors.indices.filter { kind != "incomplete" || $0 != required }
      let infos = try kept.map { place in
        let info = source.tensors[place]
        guard kind == "reshaped", place == kept.last else { return info }
        return try TensorInfo(name: info.name, dtype: info.dtype, shape: info.shape + [1])
      }
      let target = directory.file("other.safetensors")
      _ = try CheckpointWriter(infos, metadata: source.metadata) {
        try source.reader(of: kept[$0])
      }.write(to: target, overwrite: false)
      return target
    }
  }

  @Test(arguments: [[], Array("no checkpoint".utf8)] as [[UInt8]])
  func `what is no checkpoint at all is an error`(bytes: [UInt8]) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(bytes, as: "other")
    #expect(throws: FormatError.self) {
      try Verifier.examine(toolVersion: "0") { try openCheckpoint(path) }
    }
  }

  @Test func `a number that is not finite is found and its tensor named`() throws {
    let model = try damaged("mask_decoder.iou_token.weight", at: 5, to: .nan)
    let finite = try #require(
      try verifier(model).ownLevels(base: nil).first { $0.name == "finite" })
    #expect(finite.outcome == .failed && finite.detail.contains("mask_decoder.iou_token.weight"))
  }

  @Test func `the first tensor that diverges from a golden file is named`() throws {
    let reference = try golden.checkpoint("golden")
    #expect(try verifier(golden.checkpoint("model")).golden(reference).outcome == .passed)
    let model = try damaged("image_encoder.blocks.2.mlp.lin1.bias", at: 0, to: 3)
    let level = try verifier(model).golden(reference)
    #expect(level.outcome == .failed)
    #expect(level.measurements.first { !$0.passes }?.name == "trace.blocks.2")
    #expect(level.detail.contains("'trace.blocks.2'"))
  }

  @Test func `a golden file of another model is refused`() throws {
    let other = GoldenModel(name: "sam-batch")
    #expect { try verifier(golden.checkpoint("model")).golden(other.checkpoint("model")) } throws: {
      ($0 as? RuntimeError)?.code == .badInput
    }
    let prompt = GoldenModel(name: "prompt-all")
    #expect {
      try verifier(prompt.checkpoint("model")).golden(golden.checkpoint("golden"))
    } throws: { ($0 as? RuntimeError)?.code == .goldenMismatch }
  }

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
    let levels = try verifier(damaged(name, at: 7, to: 0.5)).against(merged)
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

  @Test func `the page shows the verdict and takes no markup from names`() {
    let level = VerificationReport.Level(
      "activations",
      [
        .init(name: "<script>&", difference: 1, tolerance: 1e-5),
        .init(name: "b", difference: .nan, tolerance: 1),
      ],
      passing: "")
    let report = VerificationReport(model: "\"<b>\".pth", levels: [level])
    #expect(report.html.contains("Not verified") && report.html.contains("&lt;script&gt;&amp;"))
    #expect(!report.html.contains("<script>") && !report.html.contains("<b>"))
  }

  @Test(arguments: ["masam-tt", "masam-tk", "masam-lora", "masam-multiscale", "sam-one-slice"])
  func `gradients are finite differences`(_ name: String) throws {
    let golden = GoldenModel(name: name)
    let level = try Verifier(golden.checkpoint("model"), toolVersion: "0").gradients()
    #expect(level.outcome == .passed, "\(level.detail)")
    #expect(level.measurements.map(\.name).suffix(2) == ["prompt encoder", "decoder"])
  }

  @Test func `tensors that no model can be made of fail the schema`() throws {
    // Three kinds of points are a family's as well as four: only the prompt encoder wants all.
    let source = try GoldenModel(name: "sam-one-slice").checkpoint("model")
    let kept = source.tensors.indices.filter {
      source.tensors[$0].name != "prompt_encoder.point_embeddings.3.weight"
    }
    let directory = try TemporaryDirectory()
    let target = directory.file("three.safetensors")
    _ = try CheckpointWriter(kept.map { source.tensors[$0] }, metadata: source.metadata) {
      try source.reader(of: kept[$0])
    }.write(to: target, overwrite: false)
    let levels = try verifier(openCheckpoint(target)).ownLevels(base: nil)
    #expect(levels.map(\.outcome) == [.passed, .failed, .passed, .skipped], "\(levels[1].detail)")
    let sound = try verifier(source).ownLevels(base: nil)
    #expect(sound.map(\.outcome) == [.passed, .passed, .passed, .skipped])
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

  @Test func `masks that a stack does not have are refused`() throws {
    let reference = try golden.checkpoint("golden")
    let mask = try TensorInfo(name: "masks", dtype: .uint8, shape: [1, 3, 64, 64])
    let directory = try TemporaryDirectory()
    let target = directory.file("masks.safetensors")
    let count = reference.tensors.count
    _ = try CheckpointWriter(reference.tensors + [mask]) { place in
      place < count
        ? try reference.reader(of: place) : FloatReader(Tensor(repeating: 0, shape: [3072]))
    }.write(to: target, overwrite: false)
    #expect { try verifier(golden.checkpoint("model")).golden(openCheckpoint(target)) } throws: {
      ($0 as? RuntimeError)?.code == .goldenMismatch
    }
  }

  @Test func `masks of a golden file are compared`() throws {
    let model = GoldenModel(name: "prompt-points")
    let network = try model.model()
    let input = try model.input(network)
    let outputs = network.forward(input, traced: true)
    let masks = MaskOutputs(
      outputs, of: input, modelSize: network.architecture.imageSize ?? 0)
    let inputs = try model.checkpoint("golden")
    let directory = try TemporaryDirectory()
    let made = try #require(try masks?.tensors())
    for flipped in [false, true] {
      let target = directory.file("\(flipped).safetensors")
      let places = inputs.tensors.indices.filter {
        ForwardInput.names.contains(inputs.tensors[$0].name.text)
      }
      let infos = places.map { inputs.tensors[$0] } + made.map(\.info)
      _ = try CheckpointWriter(infos) { place in
        if place < places.count { return try inputs.reader(of: places[place]) }
        let reader = made[place - places.count].reader()
        return flipped ? FlippedReader(reader) : reader
      }.write(to: target, overwrite: false)
      let level = try verifier(model.checkpoint("model")).golden(openCheckpoint(target))
      #expect(level.outcome == (flipped ? .failed : .passed), "\(level.detail)")
    }
  }

  private final class FlippedReader: TensorReader {
    private let base: any TensorReader
    init(_ base: any TensorReader) { self.base = base }
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
      let count = try base.read(into: buffer)
      for place in 0..<count { buffer[place] ^= 1 }
      return count
    }
  }

  @Test(arguments: [Architecture.DecoderKind.sam, .progressive])
  func `gradients of a model that was just adapted are found right`(
    _ decoder: Architecture.DecoderKind
  ) throws {
    let plan = try GoldenModel(name: "sam-published").plan().applying(
      InjectFactors(kind: .tt, rank: 2, seed: 1),
      InjectAdapters(channels: 8, placement: .both, start: .zero, seed: 1),
      SwapDecoder(kind: decoder, classes: 2, seed: 1))
    let directory = try TemporaryDirectory()
    let target = directory.file("fresh.safetensors")
    _ = try plan.write(to: target, overwrite: false)
    let level = try verifier(openCheckpoint(target)).gradients()
    #expect(level.outcome == .passed, "\(level.measurements)")
  }
}
