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
    let across = columnPanels(of: columns)
    let down = (rows + panelRows - 1) / panelRows
    let bias = Bias(base: bias)
    let weight = PreparedWeight(weight, multipliesBrainFloats: multipliesBrainFloats)
    let input = RoundedInput(input, for: weight.view, pieceRows: panelRows)
    // Rows change slowest, so that threads share a part of the input.
    parallelFor(count: across.count * down) { index in
      let rows = panel(index / across.count, of: panelRows, in: rows)
      let columns = across[index % across.count]
      multiply(
        input.view.rows(rows), weight.view.columns(columns),
        bias: bias.base.map { $0 + columns.lowerBound },
        into: output.rows(rows).columns(columns), accumulates: accumulates,
        activation: activation)
    }
    withExtendedLifetime((weight, input)) {}
  }

  /// The columns that are taken at once.
  static func columnPanels(of columns: Int) -> [Range<Int>] {
    stride(from: 0, to: columns, by: panelColumns).map { $0..<min($0 + panelColumns, columns) }
  }

  static func panel(_ index: Int, of size: Int, in count: Int) -> Range<Int> {
    index * size..<min(count, (index + 1) * size)
  }

  /// Some rows of a product, on the calling thread.
  ///
  /// - Parameter weight: prepared.
  public static func linearPanel(
    _ input: MatrixView, _ weight: WeightView, bias: UnsafePointer<Float>?,
    into output: MatrixView, accumulates: Bool = false, activation: Activation = .none
  ) {
    let input = RoundedInput(input, for: weight)
    for columns in columnPanels(of: output.columns) {
      multiply(
        input.view, weight.columns(columns), bias: bias.map { $0 + columns.lowerBound },
        into: output.columns(columns), accumulates: accumulates, activation: activation)
    }
    withExtendedLifetime(input) {}
  }

  private static func multiply(
    _ input: InputView, _ weight: WeightView, bias: UnsafePointer<Float>?,
    into output: MatrixView, accumulates: Bool, activation: Activation
  ) {
    guard !weight.order.isBlocked || output.stride == output.columns else {
      return multiplyApart(
        input, weight, bias: bias, into: output, accumulates: accumulates, activation: activation)
    }
    run(input, weight, bias: bias, into: output, accumulates: accumulates)
    if activation != .none { apply(activation, output, into: output) }
  }

  private static func copy(_ input: MatrixView, into output: MatrixView) {
    for row in 0..<output.rows {
      output.row(row).update(from: input.row(row), count: output.columns)
    }
  }

  private static func run(
    _ input: InputView, _ weight: WeightView, bias: UnsafePointer<Float>?,
    into output: MatrixView, accumulates: Bool
  ) {
    let key = MatmulPrimitive.Key(
      rows: output.rows, columns: output.columns, depth: input.columns, inputStride: input.stride,
      weightStride: weight.stride, order: weight.order,
      outputStride: output.stride,
      hasBias: bias != nil, accumulates: accumulates, isBrainFloat: weight.numbers == .brainFloat)
    MatmulPrimitive.matching(key).run(
      input: input.base, weight: weight.base, bias: bias, output: output.base)
  }

  /// The same for weights in oneDNN's own order, which it takes only where a result's rows follow one another.
  private static func multiplyApart(
    _ input: InputView, _ weight: WeightView, bias: UnsafePointer<Float>?,
    into output: MatrixView, accumulates: Bool, activation: Activation
  ) {
    let apart = Tensor(uninitialised: [output.rows, output.columns])
    let result = apart.matrix
    if accumulates { copy(output, into: result) }
    run(input, weight, bias: bias, into: result, accumulates: accumulates)
    apply(activation, result, into: output)
    withExtendedLifetime(apart) {}
  }

  /// Done while a panel is in the cache, which takes half of the time that oneDNN's own GELU takes; and
  /// its ReLU makes zero of NaN.
  private static func apply(_ activation: Activation, _ input: MatrixView, into output: MatrixView)
  {
    for row in 0..<output.rows {
      let (source, target) = (input.row(row), output.row(row))
      switch activation {
      case .none: target.update(from: source, count: output.columns)
      case .gelu: wt_gelu(target, source, output.columns)
      case .relu:
        for column in 0..<output.columns {
          let number = source[column]
          target[column] = number > 0 || number.isNaN ? number : 0
        }
      }
    }
  }

  private struct Bias: @unchecked Sendable {
    let base: UnsafePointer<Float>?
  }
}
