import CKernels
import Support

/// What is applied to each number that leaves a matrix product.
public enum Activation: Sendable, Hashable {
  case none
  /// x·Φ(x), in the exact form.
  case gelu
  case relu
}

extension Kernels {
  /// out[m, n] = activation(Σ_k in[m, k]·weight[n, k] + bias[n]).
  ///
  /// - Parameters:
  ///   - accumulates: whether the sum is added to what `out` holds, before the activation.
  ///   - multipliesBrainFloats: how weights of bfloat16 are multiplied; `BrainFloats` tells.
  public static func linear(
    _ input: MatrixView, _ weight: WeightView, bias: UnsafePointer<Float>? = nil,
    into output: MatrixView, accumulates: Bool = false, activation: Activation = .none,
    multipliesBrainFloats: Bool = BrainFloats.areMultiplied
  ) {
    let (rows, columns) = (output.rows, output.columns)
    precondition(input.rows == rows && input.columns == weight.depth && weight.columns == columns)
    precondition(weight.depth > 0)
    guard rows > 0, columns > 0 else { return }
    let across = (columns + panelColumns - 1) / panelColumns
    let down = (rows + panelRows - 1) / panelRows
    let bias = Bias(base: bias)
    let weight = PreparedWeight(weight, multipliesBrainFloats: multipliesBrainFloats)
    let input = RoundedInput(input, for: weight.view, pieceRows: panelRows)
    // Rows change slowest, so that threads share a part of the input.
    parallelFor(count: across * down) { index in
      let rows = panel(index / across, of: panelRows, in: rows)
      let columns = panel(index % across, of: panelColumns, in: columns)
      multiply(
        input.view.rows(rows), weight.view.columns(columns),
        bias: bias.base.map { $0 + columns.lowerBound },
        into: output.rows(rows).columns(columns), accumulates: accumulates,
        activation: activation)
    }
    withExtendedLifetime((weight, input)) {}
  }

  static func panel(_ index: Int, of size: Int, in count: Int) -> Range<Int> {
    index * size..<min(count, (index + 1) * size)
  }

  /// One panel of a product, on the calling thread.
  ///
  /// - Parameter weight: prepared.
  static func linearPanel(
    _ input: MatrixView, _ weight: WeightView, bias: UnsafePointer<Float>?,
    into output: MatrixView, accumulates: Bool = false, activation: Activation = .none
  ) {
    let input = RoundedInput(input, for: weight)
    multiply(
      input.view, weight, bias: bias, into: output, accumulates: accumulates,
      activation: activation)
    withExtendedLifetime(input) {}
  }

  private static func multiply(
    _ input: InputView, _ weight: WeightView, bias: UnsafePointer<Float>?,
    into output: MatrixView, accumulates: Bool, activation: Activation
  ) {
    let key = MatmulPrimitive.Key(
      rows: output.rows, columns: output.columns, depth: input.columns, inputStride: input.stride,
      weightStride: weight.stride, isTransposed: weight.isTransposed,
      outputStride: output.stride, hasBias: bias != nil, accumulates: accumulates,
      activation: activation == .relu ? .none : activation,
      isBrainFloat: weight.numbers == .brainFloat)
    MatmulPrimitive.matching(key).run(
      input: input.base, weight: weight.base, bias: bias, output: output.base)
    if activation == .relu { relu(output) }
  }

  /// Makes negative numbers zero, and keeps NaN, of which oneDNN's own makes zero.
  private static func relu(_ matrix: MatrixView) {
    for row in 0..<matrix.rows {
      let numbers = matrix.row(row)
      for column in 0..<matrix.columns {
        let number = numbers[column]
        numbers[column] = number > 0 || number.isNaN ? number : 0
      }
    }
  }

  private struct Bias: @unchecked Sendable {
    let base: UnsafePointer<Float>?
  }
}
