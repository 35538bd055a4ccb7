import Support
import Testing

@testable import Numerics

@Test func `weights are brought into blocks where oneDNN has them, and nowhere else`() {
  let weight = tensor(64, 32)
  #expect((BlockedWeight(weight.matrix, .float32) != nil) == BrainFloats.canBeMultiplied)
  withExtendedLifetime(weight) {}
}

/// Weights in oneDNN's own order, held against the same weights as they lie in files.
@Suite(
  "Weights in blocks", .enabled(if: BrainFloats.canBeMultiplied, "oneDNN has blocks with AVX-512"))
struct BlockedWeightTests {
  /// As wide as a panel, narrower, and with a rest that fills no block; fewer rows than a panel and more.
  private static let shapes = [
    (rows: 1, columns: 64, depth: 16), (17, 256, 65), (600, 768, 40), (33, 700, 128),
    (513, 65, 64),
  ]

  @Test(arguments: shapes) func `products are those of the rows`(
    _ rows: Int, _ columns: Int, _ depth: Int
  ) throws {
    let (input, weight) = (tensor(rows, depth), tensor(columns, depth, seed: 2))
    let blocked = try #require(BlockedWeight(weight.matrix, .float32))
    try compare(.float(weight.matrix), blocked.view, input)
    withExtendedLifetime((input, weight, blocked)) {}
  }

  @Test(arguments: shapes, [true, false]) func `products of rounded numbers are those of the rows`(
    _ shape: (rows: Int, columns: Int, depth: Int), _ multiplies: Bool
  ) throws {
    let (rows, columns, depth) = shape
    let (input, weight) = (tensor(rows, depth), tensor(columns, depth, seed: 2))
    let rounded = MatrixWeight(Variable(weight), precision: .brainFloat16)
    let blocked = try #require(
      BlockedWeight(weight.matrix, .brainFloat16, multipliesBrainFloats: multiplies))
    try compare(rounded.view, blocked.view, input, multipliesBrainFloats: multiplies)
    withExtendedLifetime((input, weight, rounded, blocked)) {}
  }

  /// With a bias, added to what is there and not, under every activation.
  private func compare(
    _ rows: WeightView, _ blocked: WeightView, _ input: Tensor,
    multipliesBrainFloats: Bool = BrainFloats.areMultiplied
  ) throws {
    let bias = tensor(rows.columns, seed: 3)
    for activation in [Activation.none, .gelu, .relu] {
      for accumulates in [false, true] {
        let results = [rows, blocked].map { view in
          let output = tensor(input.shape[0], view.columns, seed: 4)
          Kernels.linear(
            input.matrix, view, bias: bias.pointer, into: output.matrix, accumulates: accumulates,
            activation: activation, multipliesBrainFloats: multipliesBrainFloats)
          return output.values
        }
        expectClose(results[1], results[0], 1e-6, named: "\(activation), \(accumulates)")
      }
    }
    withExtendedLifetime(bias) {}
  }

  /// Of the input, of the weight and of the result: views of some columns of wider rows.
  @Test func `rows may have gaps`() throws {
    let (input, weight) = (tensor(40, 100), tensor(300, 90, seed: 2))
    let part = weight.matrix.columns(7..<71)
    let blocked = try #require(BlockedWeight(part, .float32))
    let results = [.float(part), blocked.view].map { view in
      let output = tensor(40, 500, seed: 4)
      Kernels.linear(
        input.matrix.columns(10..<74), view, into: output.matrix.columns(20..<320),
        accumulates: true)
      return output.values
    }
    expectClose(results[1], results[0], 1e-6)
    withExtendedLifetime((input, weight, blocked)) {}
  }

  /// oneDNN answers what its fast code does not know with loops that take a thousand times as long.
  @Test(
    arguments: [1, 2, 14, 196, 512],
    [16, 32, 40, 64, 256, 384, 512, 768, 1024, 1280, 2048, 2304, 3072, 5120])
  func `no product falls back to plain loops`(_ rows: Int, _ depth: Int) {
    var count = 0
    for columns in [4, 8, 13, 16, 32, 64, 65, 128, 256, 384, 512, 768] {
      for (hasBias, accumulates) in [(true, false), (false, true), (true, true), (false, false)] {
        for isBrainFloat in [false, BrainFloats.areMultiplied] {
          let format = BlockedWeight.Format(depth: depth, isBrainFloat: isBrainFloat)
          guard format.hasBlocks(columns: columns) else { continue }
          let key = MatmulPrimitive.Key(
            rows: rows, columns: columns, depth: depth, inputStride: depth, weightStride: 0,
            order: .blocked(format), outputStride: columns, hasBias: hasBias,
            accumulates: accumulates, isBrainFloat: isBrainFloat)
          let name = MatmulPrimitive.matching(key).implementation
          #expect(!name.hasPrefix("ref"), "\(rows) × \(depth) × \(columns): \(name)")
          count += 1
        }
      }
    }
    #expect(count > 0)
  }

  @Test func `weights of wider results stay as they are`() throws {
    let (fitting, wide) = (tensor(768, 64), tensor(769, 64))
    #expect(BlockedWeight(fitting.matrix, .float32)?.view.count == 768 * 64)
    #expect(BlockedWeight(wide.matrix, .float32) == nil)
    withExtendedLifetime((fitting, wide)) {}
  }
}
