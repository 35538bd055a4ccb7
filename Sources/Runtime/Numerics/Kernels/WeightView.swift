/// A weight as a matrix product reads it.
public struct WeightView: @unchecked Sendable {
  // Sendable, as weights are not written while products are calculated.

  /// What the numbers in memory are.
  enum Numbers: Sendable {
    case float
    case brainFloat
    /// Floats that bfloat16 holds exactly; the input is rounded to such.
    case roundedFloat

    var byteCount: Int { self == .brainFloat ? 2 : 4 }
  }

  /// How they follow one another.
  enum Order: Sendable, Hashable {
    /// [columns, depth], as `nn.Linear` has it.
    case rows
    /// [depth, columns].
    case transposed
    /// Panels of `panelColumns` in oneDNN's own order, which `BlockedWeight` makes.
    case blocked
  }

  let base: UnsafeRawPointer
  /// Of the result.
  let columns: Int
  let depth: Int
  /// Numbers from one stored row, or from one panel in blocks, to the next.
  let stride: Int
  let numbers: Numbers
  let order: Order

  /// Floats [columns, depth].
  public static func float(_ matrix: MatrixView) -> WeightView {
    WeightView(
      base: matrix.base, columns: matrix.rows, depth: matrix.columns, stride: matrix.stride,
      numbers: .float, order: .rows)
  }

  /// Packed bfloat16 [columns, depth].
  public static func brainFloat(
    _ base: UnsafePointer<UInt16>, columns: Int, depth: Int
  ) -> WeightView {
    WeightView(
      base: base, columns: columns, depth: depth, stride: depth, numbers: .brainFloat,
      order: .rows)
  }

  /// The same numbers for the product with the other side of the matrix.
  var transposed: WeightView {
    precondition(order != .blocked, "weights in blocks are for forward passes alone")
    return WeightView(
      base: base, columns: depth, depth: columns, stride: stride, numbers: numbers,
      order: order == .rows ? .transposed : .rows)
  }

  /// What some of the result's columns need.
  func columns(_ range: Range<Int>) -> WeightView {
    WeightView(
      base: base + place(ofColumn: range.lowerBound) * numbers.byteCount, columns: range.count,
      depth: depth, stride: stride, numbers: numbers, order: order)
  }

  private func place(ofColumn column: Int) -> Int {
    switch order {
    case .rows: return column * stride
    case .transposed: return column
    case .blocked:
      precondition(column.isMultiple(of: Kernels.panelColumns))
      return column / Kernels.panelColumns * stride
    }
  }

  /// The same matrix with other numbers in the same places.
  func with(_ base: UnsafeRawPointer, _ numbers: Numbers) -> WeightView {
    WeightView(
      base: base, columns: columns, depth: depth, stride: stride, numbers: numbers,
      order: order)
  }

  /// How many numbers there are in memory, when rows are packed.
  var count: Int {
    guard order == .blocked else { return columns * depth }
    return (columns + Kernels.panelColumns - 1) / Kernels.panelColumns * stride
  }
}
