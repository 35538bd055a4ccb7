import Formats
import Foundation
import Surgery
import TestSupport
import Testing

@testable import Networks
@testable import Numerics
@testable import Verification

/// Tiny models with what PyTorch makes of them; tools/reference/make_runtime_fixtures.py wrote them.
struct GoldenModel: Sendable, CustomTestStringConvertible {
  let name: String

  static let all = [
    "sam-published", "sam-one-slice", "sam-batch", "masam-tt", "masam-tk", "masam-lora",
    "masam-some-blocks",
    "masam-multiscale", "masam-wide-heads", "prompt-none", "prompt-points", "prompt-box",
    "prompt-mask", "prompt-points-box", "prompt-points-mask", "prompt-box-mask", "prompt-all",
  ].map(GoldenModel.init)
  /// Those whose factors stand beside the weights.
  static let withFactors = all.filter {
    ["masam-tt", "masam-tk", "masam-lora", "masam-some-blocks", "masam-wide-heads"]
      .contains($0.name)
  }
  static let stacks = all.filter { !$0.name.hasPrefix("prompt") }

  var testDescription: String { name }

  func checkpoint(_ kind: String) throws -> any Checkpoint {
    let model = kind == "model" && name.hasPrefix("prompt") ? "prompt" : name
    return try openCheckpoint(Fixtures.path("runtime/\(model).\(kind).safetensors"))
  }

  func plan() throws -> Blueprint {
    try Blueprint(importing: checkpoint("model"), toolVersion: "0")
  }

  func model(
    _ precision: Precision = .float32, factors: SegmentAnything.FactorTreatment = .beside
  ) throws -> SegmentAnything {
    try SegmentAnything(plan(), path: name, precision: precision, factors: factors)
  }

  func input(_ model: SegmentAnything) throws -> ForwardInput {
    try ForwardInput(checkpoint("golden"), for: model.architecture)
  }

  func golden() throws -> [String: Tensor] {
    let file = try checkpoint("golden")
    var tensors: [String: Tensor] = [:]
    for (place, info) in file.tensors.enumerated()
    where !ForwardInput.names.contains(info.name.text) {
      tensors[info.name.text] = try Tensor(reading: file, place)
    }
    return tensors
  }

  /// The model with one number of one tensor changed.
  func damaged(_ name: String, at index: Int, to value: Float) throws -> any Checkpoint {
    let source = try checkpoint("model")
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
}

func verifier(_ model: any Checkpoint) throws -> Verifier {
  try Verifier(model, toolVersion: "0")
}
