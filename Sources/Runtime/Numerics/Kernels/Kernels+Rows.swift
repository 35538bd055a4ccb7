import CKernels
import Support

extension Kernels {
  /// Numbers that one thread takes at once where each is looked at a few times.
  static let pieceSize = 1 << 15

  /// Normalises each row of packed rows; out may be in.
  public static func layerNorm(
    _ input: MatrixView, gain: MatrixView, bias: MatrixView, epsilon: Float,
    into output: MatrixView
  ) {
    let columns = input.columns
    precondition(input.stride == columns && output.stride == columns && columns > 0)
    precondition(input.rows == output.rows && output.columns == columns)
    precondition(gain.columns == columns && bias.columns == columns)
    let grain = max(1, pieceSize / columns)
    parallelFor(count: (input.rows + grain - 1) / grain) { index in
      let rows = panel(index, of: grain, in: input.rows)
      wt_layer_norm(
        output.row(rows.lowerBound), input.row(rows.lowerBound), gain.base, bias.base, rows.count,
        columns, epsilon)
    }
  }

  /// Gaussian error linear units over packed numbers; out may be in.
  public static func gelu(_ input: MatrixView, into output: MatrixView) {
    precondition(input.stride == input.columns && output.stride == output.columns)
    let count = input.rows * input.columns
    precondition(count == output.rows * output.columns)
    parallelFor(count: (count + pieceSize - 1) / pieceSize) { index in
      let range = panel(index, of: pieceSize, in: count)
      wt_gelu(output.base + range.lowerBound, input.base + range.lowerBound, range.count)
    }
  }

  /// Adds packed numbers to packed numbers; `other` is repeated as often as it fits.
  public static func add(_ other: MatrixView, to output: MatrixView) {
    precondition(other.stride == other.columns && output.stride == output.columns)
    let (count, period) = (output.rows * output.columns, other.rows * other.columns)
    guard count > 0 else { return }
    precondition(period > 0 && count % period == 0)
    parallelFor(count: (count + pieceSize - 1) / pieceSize) { index in
      var rest = panel(index, of: pieceSize, in: count)
      while !rest.isEmpty {
        let start = rest.lowerBound % period
        let run = min(rest.count, period - start)
        let (target, source) = (output.base + rest.lowerBound, other.base + start)
        for place in 0..<run { target[place] += source[place] }
        rest = rest.lowerBound + run..<rest.upperBound
      }
    }
  }
}
