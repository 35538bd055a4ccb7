import CKernels
import Support

/// What is applied to each number that leaves a matrix product.
public enum Activation: Sendable, Hashable {
  case none
  /// x·Φ(x), in the exact form.
  case gelu
  case relu
}

/// A weight as a matrix product reads it: [columns, depth], or [depth, columns] when transposed.
public struct WeightView: @unchecked Sendable {
  // Sendable, as weights are not written while products are calculated.
  let base: UnsafeRawPointer
  /// Of the result.
  let columns: Int
  let depth: Int
  /// Numbers from one stored row to the next.
  let stride: Int
  let isBrainFloat: Bool
  let isTransposed: Bool

  /// Floats [columns, depth].
  public static func float(_ matrix: MatrixView) -> WeightView {
    WeightView(
      base: matrix.base, columns: matrix.rows, depth: matrix.columns, stride: matrix.stride,
      isBrainFloat: false, isTransposed: false)
  }

  /// Packed bfloat16 [columns, depth].
  public static func brainFloat(
    _ base: UnsafePointer<UInt16>, columns: Int, depth: Int
  ) -> WeightView {
    WeightView(
      base: base, columns: columns, depth: depth, stride: depth, isBrainFloat: true,
      isTransposed: false)
  }

  /// The same numbers for the product with the other side of the matrix.
  var transposed: WeightView {
    WeightView(
      base: base, columns: depth, depth: columns, stride: stride, isBrainFloat: isBrainFloat,
      isTransposed: !isTransposed)
  }

  /// What some of the result's columns need.
  func columns(_ range: Range<Int>) -> WeightView {
    let numbers = range.lowerBound * (isTransposed ? 1 : stride)
    return WeightView(
      base: base + numbers * (isBrainFloat ? 2 : 4), columns: range.count, depth: depth,
      stride: stride, isBrainFloat: isBrainFloat, isTransposed: isTransposed)
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
    let key = MatmulPrimitive.Key(
      rows: output.rows, columns: output.columns, depth: input.columns,
      inputStride: weight.isBrainFloat ? input.columns : input.stride,
      weightStride: weight.stride, isTransposed: weight.isTransposed,
      outputStride: output.stride, hasBias: bias != nil, accumulates: accumulates,
      activation: activation, isBrainFloat: weight.isBrainFloat)
    let primitive = MatmulPrimitive.matching(key)
    guard weight.isBrainFloat else {
      primitive.run(input: input.base, weight: weight.base, bias: bias, output: output.base)
      return
    }
    let rounded = StoragePool.shared.storage(byteCount: input.rows * input.columns * 2)
    let numbers = rounded.address.assumingMemoryBound(to: UInt16.self)
    for row in 0..<input.rows {
      wt_to_bfloat16(numbers + row * input.columns, input.row(row), input.columns)
    }
    primitive.run(input: numbers, weight: weight.base, bias: bias, output: output.base)
    withExtendedLifetime(rounded) {}
  }

  private struct Bias: @unchecked Sendable {
    let base: UnsafePointer<Float>?
  }
}
