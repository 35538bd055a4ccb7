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
    let model = try golden.damaged("mask_decoder.iou_token.weight", at: 5, to: .nan)
    let finite = try #require(
      try verifier(model).ownLevels(base: nil).first { $0.name == "finite" })
    #expect(finite.outcome == .failed && finite.detail.contains("mask_decoder.iou_token.weight"))
  }

  @Test func `the first tensor that diverges from a golden file is named`() throws {
    let reference = try golden.checkpoint("golden")
    #expect(try verifier(golden.checkpoint("model")).golden(reference).outcome == .passed)
    let model = try golden.damaged("image_encoder.blocks.2.mlp.lin1.bias", at: 0, to: 3)
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
    let level = try verifier(golden.checkpoint("model")).gradients()
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
