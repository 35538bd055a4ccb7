import CKernels
import Support

/// What is applied to each number that leaves a matrix product.
public enum Activation: Sendable, Hashable {
  case none
  /// x·Φ(x), in the exact form.
  case gelu
  case relu
}

/// A weight as a matrix product reads it.
public enum WeightView: @unchecked Sendable {
  // Sendable, as weights are not written while products are calculated.
  case float(MatrixView)
  /// [columns, depth], packed.
  case brainFloat(UnsafePointer<UInt16>, columns: Int, depth: Int)

  var columns: Int {
    switch self {
    case .float(let matrix): matrix.rows
    case .brainFloat(_, let columns, _): columns
    }
  }

  var depth: Int {
    switch self {
    case .float(let matrix): matrix.columns
    case .brainFloat(_, _, let depth): depth
    }
  }
}

extension Kernels {
  /// out[m, n] = activation(Σ_k in[m, k]·weight[n, k] + bias[n]).
  ///
  /// - Parameters:
  ///   - accumulates: whether the sum is added to what `out` holds, before the activation.
  public static func linear(
    _ input: MatrixView, _ weight: WeightView, bias: UnsafePointer<Float>? = nil,
    into output: MatrixView, accumulates: Bool = false, activation: Activation = .none
  ) {
    let (rows, columns) = (output.rows, output.columns)
    precondition(input.rows == rows && input.columns == weight.depth && weight.columns == columns)
    precondition(weight.depth > 0)
    guard rows > 0, columns > 0 else { return }
    let across = (columns + panelColumns - 1) / panelColumns
    let down = (rows + panelRows - 1) / panelRows
    let bias = Bias(base: bias)
    // Rows change slowest, so that threads share a part of the input.
    parallelFor(count: across * down) { index in
      let rows = panel(index / across, of: panelRows, in: rows)
      let columns = panel(index % across, of: panelColumns, in: columns)
      linearPanel(
        input.rows(rows), weight.columns(columns), bias: bias.base.map { $0 + columns.lowerBound },
        into: output.rows(rows).columns(columns), accumulates: accumulates,
        activation: activation)
    }
  }

  static func panel(_ index: Int, of size: Int, in count: Int) -> Range<Int> {
    index * size..<min(count, (index + 1) * size)
  }

  /// One panel of a product, on the calling thread.
  static func linearPanel(
    _ input: MatrixView, _ weight: WeightView, bias: UnsafePointer<Float>?,
    into output: MatrixView, accumulates: Bool = false, activation: Activation = .none
  ) {
    var key = MatmulPrimitive.Key(
      rows: output.rows, columns: output.columns, depth: input.columns, inputStride: input.stride,
      weightStride: input.columns, outputStride: output.stride, hasBias: bias != nil,
      accumulates: accumulates, activation: activation, isBrainFloat: false)
    switch weight {
    case .float(let matrix):
      key.weightStride = matrix.stride
      MatmulPrimitive.matching(key).run(
        input: input.base, weight: matrix.base, bias: bias, output: output.base)
    case .brainFloat(let base, _, _):
      key.inputStride = input.columns
      key.isBrainFloat = true
      let rounded = StoragePool.shared.storage(byteCount: input.rows * input.columns * 2)
      let numbers = rounded.address.assumingMemoryBound(to: UInt16.self)
      for row in 0..<input.rows {
        wt_to_bfloat16(numbers + row * input.columns, input.row(row), input.columns)
      }
      MatmulPrimitive.matching(key).run(
        input: numbers, weight: base, bias: bias, output: output.base)
      withExtendedLifetime(rounded) {}
    }
  }

  private struct Bias: @unchecked Sendable {
    let base: UnsafePointer<Float>?
  }
}

extension WeightView {
  /// Some of the columns of the product, which are rows of the weight.
  func columns(_ range: Range<Int>) -> WeightView {
    switch self {
    case .float(let matrix): .float(matrix.rows(range))
    case .brainFloat(let base, _, let depth):
      .brainFloat(base + range.lowerBound * depth, columns: range.count, depth: depth)
    }
  }
}
