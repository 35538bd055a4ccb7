import CKernels
import Formats
import Numerics
import Support
import TestSupport
import Testing

@testable import Training

/// Tensors of a recording, by name.
struct Recording {
  private let checkpoint: any Checkpoint

  init(_ name: String) throws {
    checkpoint = try openCheckpoint(Fixtures.path("training/\(name).safetensors"))
  }

  func has(_ name: String) -> Bool { checkpoint.index(of: TensorName(name)) != nil }

  func tensor(_ name: String) throws -> Tensor {
    try Tensor(reading: checkpoint, #require(checkpoint.index(of: TensorName(name)), "\(name)"))
  }

  func labels(_ name: String) throws -> [Int16] { try tensor(name).values.map { Int16($0) } }
}

/// Losses that make_loss_fixtures.py had PyTorch calculate.
struct LossTests {
  static let cases = ["two-images", "many-classes", "ignored", "dice-alone", "entropy-alone"]

  private func loss(_ file: Recording, _ name: String) throws -> SegmentationLoss {
    let weights = try file.tensor("\(name).weights").values
    return SegmentationLoss(entropyWeight: Double(weights[0]), diceWeight: Double(weights[1]))
  }

  @Test(arguments: cases) func `loss and gradient are PyTorch's`(_ name: String) throws {
    let file = try Recording("loss")
    let value = try loss(file, name)(
      logits: file.tensor("\(name).logits"), labels: file.labels("\(name).labels"))
    let found = [value.loss, value.entropy, value.dice]
    for (number, expected) in zip(found, try file.tensor("\(name).values").values) {
      #expect(abs(number - Double(expected)) <= 1e-6 * Double(expected))
    }
    expectClose(value.gradient.values, try file.tensor("\(name).gradient").values, 1e-5)
  }

  @Test(arguments: cases) func `the gradient is what finite differences find`(
    _ name: String
  ) throws {
    let file = try Recording("loss")
    let loss = try loss(file, name)
    let (logits, labels) = (try file.tensor("\(name).logits"), try file.labels("\(name).labels"))
    let direction = tensor(1, logits.count, seed: 5).values
    let step: Float = 1e-2
    let moved = [step, -step].map { step in
      Tensor(zip(logits.values, direction).map { $0 + step * $1 }, shape: logits.shape)
    }
    let values = moved.map { loss(logits: $0, labels: labels).loss }
    let gradient = loss(logits: logits, labels: labels).gradient.values
    let slope = zip(gradient, direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    let difference = (values[0] - values[1]) / Double(2 * step)
    #expect(abs(slope - difference) <= 1e-2 * max(abs(slope), 1e-3))
  }

  @Test(arguments: [0, 1, 255, 256, 257, 1000]) func `the kernels agree with their twins`(
    _ pixels: Int
  ) {
    let (classes, plane) = (5, pixels + 3)
    let logits = numbers(classes * plane).map { $0 * 4 }
    let labels = (0..<max(pixels, 1)).map { Int16($0 % 7 == 3 ? -100 : $0 % classes) }
    var (fast, twin) = ([Float](repeating: 0, count: logits.count), logits.map { _ in Float(0) })
    var sums = [[Double]](repeating: [Double](repeating: 0, count: 1 + 3 * classes), count: 2)
    wt_loss_terms(&fast, logits, labels, classes, plane, pixels, &sums[0])
    wt_loss_terms_scalar(&twin, logits, labels, classes, plane, pixels, &sums[1])
    expectClose(fast, twin, 1e-6)
    expectClose(sums[0].map { Float($0) }, sums[1].map { Float($0) }, 1e-6)
    let (square, overlap) = (numbers(classes, seed: 2), numbers(classes, seed: 3))
    wt_loss_gradient(&fast, labels, classes, plane, pixels, 0.3, square, overlap)
    wt_loss_gradient_scalar(&twin, labels, classes, plane, pixels, 0.3, square, overlap)
    expectClose(fast, twin, 2e-6)
  }

  @Test func `threads change no bit`() {
    let (classes, side) = (3, 190)
    let logits = tensor(2, classes, side, side)
    let labels = (0..<2 * side * side).map { Int16($0 / 7 % classes) }
    defer { Threads.setCount(availableProcessors) }
    let results = [1, 2, 5].map { threads in
      Threads.setCount(threads)
      let value = SegmentationLoss()(logits: logits, labels: labels)
      return [value.loss.bitPattern] + value.gradient.values.map { UInt64($0.bitPattern) }
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  @Test func `a scale acts on the gradient alone`() throws {
    let file = try Recording("loss")
    let (logits, labels) = (try file.tensor("ignored.logits"), try file.labels("ignored.labels"))
    let whole = SegmentationLoss()(logits: logits, labels: labels)
    let quarter = SegmentationLoss()(logits: logits, labels: labels, scale: 0.25)
    #expect(whole.loss == quarter.loss)
    expectClose(quarter.gradient.values, whole.gradient.values.map { $0 / 4 }, 1e-6)
  }

  @Test func `without a pixel that counts cross-entropy is zero`() {
    let labels = [Int16](repeating: SegmentationLoss.ignored, count: 6)
    let value = SegmentationLoss()(logits: tensor(1, 4, 2, 3), labels: labels)
    #expect(value.entropy == 0)
    #expect(value.gradient.values.allSatisfy { $0.isFinite })
  }

  @Test(arguments: [(3, 5), (7, 4), (24, 31)]) func `labels are resized as PyTorch does`(
    _ size: (height: Int, width: Int)
  ) throws {
    let file = try Recording("loss")
    let resized = LabelMaps.resized(
      try file.labels("nearest.labels"), from: (height: 12, width: 15), to: size)
    #expect(try resized == file.labels("nearest.\(size.height)x\(size.width)"))
  }
}
