import Support
import Testing

@testable import Numerics

/// Weights in oneDNN's own order, held against the same weights as they lie in files.
@Suite("Weights in blocks")
struct BlockedWeightTests {
  /// As wide as one panel, narrower, of several panels, and with a rest that fills no block.
  private static let shapes = [
    (rows: 1, columns: 33, depth: 3), (17, 256, 65), (600, 768, 40), (33, 770, 128),
    (513, 1600, 17),
  ]
  /// How products take rounded weights: as this processor can.
  private static let ways = BrainFloats.canBeMultiplied ? [true, false] : [false]

  @Test(arguments: shapes) func `products are those of the rows`(
    _ rows: Int, _ columns: Int, _ depth: Int
  ) {
    let (input, weight) = (tensor(rows, depth), tensor(columns, depth, seed: 2))
    let bias = tensor(columns, seed: 3)
    let blocked = BlockedWeight(weight.matrix, .float32)
    for activation in [Activation.none, .gelu, .relu] {
      for accumulates in [false, true] {
        let results = [.float(weight.matrix), blocked.view].map { view in
          let output = tensor(rows, columns, seed: 4)
          Kernels.linear(
            input.matrix, view, bias: bias.pointer, into: output.matrix, accumulates: accumulates,
            activation: activation)
          return output.values
        }
        expectClose(results[1], results[0], 1e-6, named: "\(activation), \(accumulates)")
      }
    }
    withExtendedLifetime((weight, blocked, bias)) {}
  }

  @Test(arguments: shapes, ways) func `products of rounded numbers are those of the rows`(
    _ shape: (rows: Int, columns: Int, depth: Int), _ multiplies: Bool
  ) {
    let (rows, columns, depth) = shape
    let (input, weight) = (tensor(rows, depth), tensor(columns, depth, seed: 2))
    let rounded = MatrixWeight(Variable(weight), precision: .brainFloat16)
    let blocked = BlockedWeight(
      weight.matrix, .brainFloat16, multipliesBrainFloats: multiplies)
    let results = [rounded.view, blocked.view].map { view in
      let output = Tensor(uninitialised: [rows, columns])
      Kernels.linear(
        input.matrix, view, into: output.matrix, multipliesBrainFloats: multiplies)
      return output.values
    }
    expectClose(results[1], results[0], 1e-6)
    withExtendedLifetime((weight, rounded, blocked)) {}
  }

  /// A view of some columns of wider rows, on either side.
  @Test func `rows may have gaps`() {
    let (input, weight) = (tensor(40, 100), tensor(300, 64, seed: 2))
    let blocked = BlockedWeight(weight.matrix, .float32)
    let results = [.float(weight.matrix), blocked.view].map { view in
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
  @Test(arguments: [1, 2, 14, 196, 512], [32, 40, 256, 384, 512, 768, 1280])
  func `no product falls back to plain loops`(_ rows: Int, _ depth: Int) {
    for columns in [8, 32, 64, 65, 256, 384, 512, 768] {
      for (hasBias, accumulates) in [(true, false), (false, true)] {
        let key = MatmulPrimitive.Key(
          rows: rows, columns: columns, depth: depth, inputStride: depth, weightStride: 0,
          order: .blocked, outputStride: columns, hasBias: hasBias, accumulates: accumulates,
          isBrainFloat: false)
        let name = MatmulPrimitive.matching(key).implementation
        #expect(!name.hasPrefix("ref"), "\(rows) × \(depth) × \(columns): \(name)")
      }
    }
  }
}
