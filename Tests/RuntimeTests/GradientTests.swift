import Formats
import Foundation
import Support
import Surgery
import TestSupport
import Testing

@testable import Networks
@testable import Numerics

/// What tools/reference/make_training_fixtures.py recorded under PyTorch.
struct TrainingFixture: Sendable {
  private let file: any Checkpoint

  init(_ name: String) throws {
    file = try openCheckpoint(Fixtures.path("training/\(name).safetensors"))
  }

  func has(_ name: String) -> Bool { file.index(of: TensorName(name)) != nil }

  func tensor(_ name: String) throws -> Tensor {
    try Tensor(reading: file, #require(file.index(of: TensorName(name))))
  }

  func bytes(_ name: String) throws -> [UInt8] {
    try file.bytes(of: #require(file.index(of: TensorName(name))))
  }

  var gradients: [String] {
    file.tensors.map(\.name.text).filter { $0.hasPrefix("gradient.") }
  }
}

/// An operation on recorded inputs.
struct RecordedOperation: Sendable, CustomTestStringConvertible {
  let name: String
  let inputs: [String]
  let run: @Sendable ([Variable]) -> Variable
  var testDescription: String { name }

  static let all: [RecordedOperation] = [
    .init(name: "linear", inputs: ["x", "weight", "bias"]) {
      $0[0].linear(MatrixWeight($0[1]), bias: $0[2])
    },
    .init(name: "linear-relu", inputs: ["x", "weight", "bias"]) {
      $0[0].linear(MatrixWeight($0[1]), bias: $0[2], activation: .relu)
    },
    .init(name: "linear-gelu", inputs: ["x", "weight", "bias"]) {
      $0[0].linear(MatrixWeight($0[1]), bias: $0[2], activation: .gelu)
    },
    .init(name: "gelu", inputs: ["x"]) { $0[0].gelu() },
    .init(name: "layer-norm", inputs: ["x", "gain", "bias"]) {
      $0[0].layerNorm(gain: $0[1], bias: $0[2], epsilon: 1e-6)
    },
    .init(name: "attention", inputs: ["q", "k", "v"]) {
      $0[0].attention(to: $0[1], $0[2], heads: 3)
    },
    .init(name: "depth-convolution", inputs: ["x", "weight", "bias"]) { x in
      let taps = x[1].permuted([2, 0, 1, 3, 4])
      return x[0].depthConvolution(
        taps: (0..<3).map { MatrixWeight(taps[$0].reshaped(9, 7)) }, bias: x[2], slices: 3)
    },
    .init(name: "convolution", inputs: ["x", "weight", "bias"]) {
      let rows = $0[1].permuted([0, 2, 3, 1]).reshaped(4, 27)
      return $0[0].convolution(MatrixWeight(rows), bias: $0[2], kernel: 3)
    },
    .init(name: "up-convolution", inputs: ["x", "weight", "bias"]) { x in
      let taps = x[1].permuted([2, 3, 1, 0])
      return x[0].upConvolution(
        halves: (0..<2).map { MatrixWeight(taps[$0].reshaped(8, 6)) },
        bias: x[2].repeated(2).reshaped(8))
    },
    .init(name: "resize", inputs: ["x"]) { $0[0].resized(height: 7, width: 9) },
    .init(name: "products", inputs: ["x", "y"]) { $0[0].productWithTransposed($0[1]) },
    .init(name: "broadcast-add", inputs: ["x", "y"]) { $0[0] + $0[1] },
    .init(name: "window-attention", inputs: ["x", "bias", "vertical", "horizontal"]) {
      let table = RelativePositions.table(vertical: $0[2], horizontal: $0[3])
      return attention(window: 3, table)($0[0], bias: $0[1], table: table)
    },
    .init(name: "global-attention", inputs: ["x", "vertical", "horizontal"]) {
      let table = RelativePositions.table(vertical: $0[1], horizontal: $0[2])
      let bias = Variable(Tensor(repeating: 0, shape: [36]))
      return attention(window: nil, table)($0[0], bias: bias, table: table)
    },
  ]

  private static func attention(window: Int?, _ table: Variable) -> GridAttention {
    GridAttention(
      heads: 2, headWidth: 6, grid: 5, window: window,
      positions: RelativePositions(table: table.value))
  }

  /// The result and the gradients of the inputs.
  func differentiated(_ values: [Tensor], _ upstream: Tensor) throws -> (Tensor, [Tensor]) {
    let tape = Tape()
    let parameters = values.map { Variable.trained($0.copied()) }
    let output = run(parameters.map { $0.on(tape) })
    try #require(output.gradient).accumulate(upstream.copied())
    tape.runBackward()
    return (output.value, try parameters.map { try #require($0.gradient?.value) })
  }
}

struct GradientTests {
  @Test(arguments: RecordedOperation.all) func `an operation's gradients are PyTorch's`(
    _ operation: RecordedOperation
  ) throws {
    let fixture = try TrainingFixture("operations")
    let values = try operation.inputs.map { try fixture.tensor("\(operation.name).\($0)") }
    let upstream = try fixture.tensor("\(operation.name).output.gradient")
    let (output, gradients) = try operation.differentiated(values, upstream)
    try expectClose(
      output.values, fixture.tensor("\(operation.name).output").values, 1e-5)
    for (name, gradient) in zip(operation.inputs, gradients) {
      let expected = try fixture.tensor("\(operation.name).\(name).gradient")
      expectClose(gradient.values, expected.values, 1e-5)
    }
  }

  /// Along a random direction the loss must change as the gradients say; single precision leaves no
  /// more than a hundredth.
  @Test(arguments: RecordedOperation.all) func `an operation's gradients are finite differences`(
    _ operation: RecordedOperation
  ) throws {
    let fixture = try TrainingFixture("operations")
    let values = try operation.inputs.map { try fixture.tensor("\(operation.name).\($0)") }
    let upstream = try fixture.tensor("\(operation.name).output.gradient")
    let (_, gradients) = try operation.differentiated(values, upstream)
    let directions = values.enumerated().map { tensor($1.count, seed: UInt64($0 + 11)).values }
    let slope = zip(gradients, directions).reduce(0) { $0 + dot($1.0.values, $1.1) }
    let step: Float = 1e-2
    let ends = [step, -step].map { step -> Double in
      let moved = zip(values, directions).map { value, direction in
        Tensor(zip(value.values, direction).map { $0 + step * $1 }, shape: value.shape)
      }
      return dot(operation.run(moved.map { Variable($0) }).value.values, upstream.values)
    }
    let found = (ends[0] - ends[1]) / Double(2 * step)
    // Relative to what the parts add up to, as they may cancel.
    let size = zip(gradients, directions).reduce(0) { sum, pair in
      sum + zip(pair.0.values, pair.1).reduce(0) { $0 + abs(Double($1.0 * $1.1)) }
    }
    #expect(abs(found - slope) <= 1e-2 * size)
  }

  private func largest(_ tensor: Tensor) -> Float { tensor.values.map(abs).max() ?? 0 }

  private func dot(_ left: [Float], _ right: [Float]) -> Double {
    zip(left, right).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }

  @Test(arguments: [
    "masam-tt", "masam-tk", "masam-lora", "masam-some-blocks", "masam-multiscale", "sam-batch",
  ])
  func `a model's gradients are PyTorch's`(_ name: String) throws {
    let fixture = try TrainingFixture("\(name).gradients")
    let trained = try TrainedModel(name)
    let loss = try trained.differentiate(fixture, threads: 2)
    let expected = try fixture.tensor("loss").values[0]
    #expect(abs(loss - expected) <= 5e-6 * expected)
    // A bias of keys changes no softmax, so its gradient is nothing but rounding.
    let noise = try 1e-7 * (fixture.gradients.map { try largest(fixture.tensor($0)) }.max() ?? 0)
    for (name, variable) in trained.model.trained {
      let key = "gradient.\(name.text)"
      // What the loss does not reach has no gradient, here as there.
      guard fixture.has(key) else {
        #expect(variable.gradient?.value == nil, "\(name)")
        continue
      }
      let found = try #require(variable.gradient?.value, "\(name)")
      let reference = try fixture.tensor(key)
      guard largest(reference) > noise else {
        #expect(largest(found) <= noise, "\(name)")
        continue
      }
      expectClose(found.values, reference.values, 1e-4, named: name.text)
    }
    let names = Set(trained.model.trained.map { "gradient.\($0.name.text)" })
    #expect(fixture.gradients.allSatisfy(names.contains))
  }

  @Test func `gradients are the same whatever the threads and the memory`() throws {
    let fixture = try TrainingFixture("masam-tt.gradients")
    var runs: [[[Float]]] = []
    for threads in [1, 2, 3] {
      let trained = try TrainedModel("masam-tt")
      _ = try trained.differentiate(fixture, threads: threads)
      runs.append(trained.model.trained.map { $0.variable.gradient?.value?.values ?? [] })
      StoragePool.shared.trim()
    }
    #expect(runs[0] == runs[1] && runs[0] == runs[2])
  }

  @Test func `dropout drops its share, and the same when it is repeated`() throws {
    let dropout = Dropout(rate: 0.25, seed: 3, step: 7)
    let factors = dropout.factors([1000, 33], place: "a").values
    let kept = factors.filter { $0 != 0 }
    #expect(kept.allSatisfy { $0 == 1 / 0.75 })
    // Five standard deviations.
    #expect(abs(Float(kept.count) / Float(factors.count) - 0.75) < 0.012)
    #expect(factors == dropout.factors([1000, 33], place: "a").values)
    #expect(factors != dropout.factors([1000, 33], place: "b").values)
    #expect(
      factors != Dropout(rate: 0.25, seed: 3, step: 8).factors([1000, 33], place: "a").values)
  }
}

/// A tiny model of which MA-SAM's parameters are trained, or all of them.
struct TrainedModel {
  let model: SegmentAnything

  init(_ name: String) throws {
    let plan = try GoldenModel(name: name).plan()
    let whole = name == "sam-batch"
    model = try SegmentAnything(
      plan, path: name, factors: .beside,
      trains: { name in
        let text = name.text
        return whole || !text.hasPrefix("image_encoder.") || text.contains("FacT")
          || text.contains("adapter_") || text.contains("_lora_")
      })
  }

  /// Runs forwards and backwards, and gives the loss.
  func differentiate(_ fixture: TrainingFixture, threads: Int) throws -> Float {
    Threads.setCount(threads)
    defer { Threads.setCount(2) }
    let images = try fixture.tensor("images")[0]
    let boxes = try fixture.has("boxes") ? fixture.tensor("boxes").values : nil
    let tape = Tape()
    let logits = model.logits(
      images.reshaped(to: [images.shape[0] * images.shape[1]] + images.shape.dropFirst(2)),
      slices: images.shape[1],
      boxes: boxes.map { boxes in
        stride(from: 0, to: boxes.count, by: 4).map {
          .init(left: boxes[$0], top: boxes[$0 + 1], right: boxes[$0 + 2], bottom: boxes[$0 + 3])
        }
      }, tape: tape)
    let (loss, gradient) = lossTwin(
      logits.value, labels: try fixture.bytes("labels"), size: images.shape[3])
    try #require(logits.gradient).accumulate(gradient)
    tape.runBackward()
    return Float(loss)
  }

  /// 0.2·cross-entropy + 0.8·soft Dice, a number at a time in double precision.
  private func lossTwin(_ logits: Tensor, labels: [UInt8], size: Int) -> (Double, Tensor) {
    let (classes, height, width) = (logits.shape[1], logits.shape[2], logits.shape[3])
    let (values, pixels) = (logits.values.map(Double.init), height * width)
    let count = logits.shape[0] * pixels
    var p = [[Double]](repeating: [], count: count)
    var target = [Int](repeating: 0, count: count)
    var (overlap, extent) = (
      [Double](repeating: 0, count: classes), [Double](repeating: 0, count: classes)
    )
    var entropy = 0.0
    for place in 0..<count {
      let (image, pixel) = (place / pixels, place % pixels)
      let (y, x) = (pixel / width * size / height, pixel % width * size / width)
      target[place] = Int(labels[(image * size + y) * size + x])
      let scores = (0..<classes).map { values[(image * classes + $0) * pixels + pixel] }
      let powers = scores.map { exp($0 - (scores.max() ?? 0)) }
      let sum = powers.reduce(0, +)
      p[place] = powers.map { $0 / sum }
      entropy -= log(p[place][target[place]])
      for index in 0..<classes {
        let hit: Double = target[place] == index ? 1 : 0
        overlap[index] += p[place][index] * hit
        extent[index] += p[place][index] * p[place][index] + hit
      }
    }
    let smooth = 1e-5
    let dice = (0..<classes).reduce(0.0) {
      $0 + 1 - (2 * overlap[$1] + smooth) / (extent[$1] + smooth)
    }
    let gradient = Tensor(uninitialised: logits.shape)
    for place in 0..<count {
      let slopes = (0..<classes).map { index -> Double in
        let hit: Double = target[place] == index ? 1 : 0
        let (top, bottom) = (2 * overlap[index] + smooth, extent[index] + smooth)
        let slope = -(2 * hit * bottom - top * 2 * p[place][index]) / (bottom * bottom)
        return 0.8 * slope / Double(classes)
      }
      let mean = zip(slopes, p[place]).reduce(0) { $0 + $1.0 * $1.1 }
      for index in 0..<classes {
        let hit: Double = target[place] == index ? 1 : 0
        let value =
          p[place][index] * (slopes[index] - mean) + 0.2 * (p[place][index] - hit) / Double(count)
        gradient.pointer[(place / pixels * classes + index) * pixels + place % pixels] = Float(
          value)
      }
    }
    return (0.2 * entropy / Double(count) + 0.8 * dice / Double(classes), gradient)
  }
}
