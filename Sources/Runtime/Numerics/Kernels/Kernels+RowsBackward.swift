import CKernels
import Support

extension Kernels {
  /// The gradient of a layer norm's inputs from that of its outputs.
  ///
  /// - Parameter parameters: where those of gain and bias go, [2, columns]; nil when they are fixed.
  public static func layerNormBackward(
    _ gradient: MatrixView, _ input: MatrixView, gain: MatrixView, epsilon: Float,
    into output: MatrixView, parameters: MatrixView?
  ) {
    let columns = input.columns
    precondition(
      [gradient, input, output].allSatisfy { $0.stride == columns && $0.rows == input.rows })
    let grain = max(1, pieceSize / columns)
    let pieces = (input.rows + grain - 1) / grain
    // Every piece has sums of its own, which are added in their order.
    let sums = Tensor(repeating: 0, shape: [parameters == nil ? 0 : pieces, 2 * columns])
    let partial = sums.matrix
    parallelFor(count: pieces) { index in
      let rows = panel(index, of: grain, in: input.rows)
      let start = rows.lowerBound
      let sum = parameters == nil ? nil : partial.row(index)
      wt_layer_norm_backward(
        output.row(start), gradient.row(start), input.row(start), gain.base, sum,
        sum.map { $0 + columns }, rows.count, columns, epsilon)
    }
    if let parameters { columnSums(partial, into: parameters.base) }
    withExtendedLifetime(sums) {}
  }

  /// Makes the gradient of GELU's packed outputs that of its inputs.
  public static func geluBackward(_ gradient: MatrixView, _ input: MatrixView) {
    let count = input.rows * input.columns
    precondition(gradient.rows * gradient.columns == count)
    parallelFor(count: (count + pieceSize - 1) / pieceSize) { index in
      let range = panel(index, of: pieceSize, in: count)
      let start = range.lowerBound
      wt_gelu_backward(gradient.base + start, input.base + start, range.count)
    }
  }

  /// out = left·right, number by number, over packed numbers; out may be one of them.
  public static func multiply(_ left: MatrixView, _ right: MatrixView, into output: MatrixView) {
    let count = left.rows * left.columns
    precondition(right.rows * right.columns == count && output.rows * output.columns == count)
    parallelFor(count: (count + pieceSize - 1) / pieceSize) { index in
      for place in panel(index, of: pieceSize, in: count) {
        output.base[place] = left.base[place] * right.base[place]
      }
    }
  }

  /// Keeps packed gradients where the output of a ReLU is positive.
  public static func reluBackward(_ gradient: MatrixView, output: MatrixView) {
    let count = output.rows * output.columns
    parallelFor(count: (count + pieceSize - 1) / pieceSize) { index in
      for place in panel(index, of: pieceSize, in: count) where output.base[place] <= 0 {
        gradient.base[place] = 0
      }
    }
  }
}
