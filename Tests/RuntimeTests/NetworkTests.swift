import Formats
import Support
import Surgery
import TestSupport
import Testing

@testable import Networks
@testable import Numerics

struct NetworkTests {
  /// The bound of rounding in single precision, over a few hundred sums one after the other.
  static let tolerance: Float = 2e-5

  @Test(arguments: GoldenModel.all, [SegmentAnything.FactorTreatment.beside, .folded])
  func `every block and output is PyTorch's`(
    _ golden: GoldenModel, _ factors: SegmentAnything.FactorTreatment
  ) throws {
    let model = try golden.model(factors: factors)
    let expected = try golden.golden()
    let found = try model.forward(golden.input(model), traced: true)
    #expect(found.count == expected.count)
    for output in found {
      let reference = try #require(expected[output.name])
      #expect(output.tensor.shape == reference.shape)
      expectClose(output.tensor.values, reference.values, Self.tolerance)
    }
  }

  @Test(arguments: GoldenModel.withFactors) func `merged weights compute what factors do`(
    _ golden: GoldenModel
  ) throws {
    let model = try golden.model(factors: .beside)
    let merged = try golden.model(factors: .folded)
    let input = try golden.input(model)
    for (left, right) in zip(model.forward(input), merged.forward(input)) {
      expectClose(right.tensor.values, left.tensor.values, 1e-5)
    }
  }

  @Test(arguments: GoldenModel.stacks)
  func `threads and used memory change no bit`(_ golden: GoldenModel) throws {
    let model = try golden.model()
    let input = try golden.input(model)
    defer { Threads.setCount(availableProcessors) }
    var results: [[UInt32]] = []
    for threads in [1, 2, 7] {
      Threads.setCount(threads)
      results.append(
        model.forward(input, traced: true).flatMap { $0.tensor.values.map(\.bitPattern) })
      poisonPool()
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  /// Fills memory that the pool will hand out next with NaNs.
  private func poisonPool() {
    let tensors = (8..<22).flatMap { power in
      (0..<4).map { _ in Tensor(repeating: .nan, shape: [1 << power]) }
    }
    withExtendedLifetime(tensors) {}
  }

  @Test func `a batch of two is two batches of one`() throws {
    let golden = GoldenModel(name: "sam-batch")
    let model = try golden.model()
    guard case .stacks(let stacks, _) = try golden.input(model) else { return #expect(Bool(false)) }
    let both = model.forward(.stacks(stacks, boxes: nil))
    for index in 0..<2 {
      let one = model.forward(.stacks(stacks.narrowed(0, index..<index + 1).packed(), boxes: nil))
      for (left, right) in zip(one, both) {
        let half = right.tensor.shape[0] / 2
        let part = right.tensor.narrowed(0, index * half..<(index + 1) * half)
        expectClose(left.tensor.values, part.values, 1e-6)
      }
    }
  }

  @Test func `a model adapted with zeros computes what SAM does`() throws {
    let golden = GoldenModel(name: "sam-one-slice")
    var plan = try golden.plan()
    let operations: [any Surgery.Operation] = [
      InjectFactors(kind: .tt, rank: 4, scale: 1, seed: 1),
      InjectAdapters(channels: 8, placement: .both, start: .zero, seed: 1),
    ]
    for operation in operations { try operation.apply(to: &plan) }
    let (plain, adapted) = (
      try golden.model(), try SegmentAnything(plan, path: "adapted", factors: .beside)
    )
    let input = try golden.input(plain)
    for (left, right) in zip(plain.forward(input), adapted.forward(input)) {
      expectClose(right.tensor.values, left.tensor.values, 1e-6)
    }
  }

  @Test(arguments: GoldenModel.all)
  func `bfloat16 stays near single precision`(_ golden: GoldenModel) throws {
    let model = try golden.model()
    let input = try golden.input(model)
    let exact = model.forward(input)
    let rough = try golden.model(.brainFloat16).forward(input)
    for (left, right) in zip(exact, rough) {
      expectClose(right.tensor.values, left.tensor.values, 2e-2)
    }
    let (a, b) = (exact[1].tensor, rough[1].tensor)
    let differing = zip(classes(a), classes(b)).filter { $0 != $1 }.count
    #expect(Double(differing) <= 0.01 * Double(a.count / a.shape[1]))
  }

  /// The mask token with the largest logit at each pixel.
  private func classes(_ logits: Tensor) -> [Int] {
    let (tokens, pixels) = (logits.shape[1], logits.shape[2] * logits.shape[3])
    let values = logits.values
    return (0..<logits.shape[0] * pixels).map { place in
      let start = place / pixels * tokens * pixels + place % pixels
      return (0..<tokens).max { values[start + $0 * pixels] < values[start + $1 * pixels] } ?? 0
    }
  }
}
