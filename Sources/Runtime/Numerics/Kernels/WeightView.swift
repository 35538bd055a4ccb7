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
    /// oneDNN's own, which `BlockedWeight` makes of one panel's columns.
    case blocked(BlockedWeight.Format)

    var isBlocked: Bool {
      if case .blocked = self { true } else { false }
    }
  }

  let base: UnsafeRawPointer
  /// Of the result.
  let columns: Int
  let depth: Int
  /// Numbers from one stored row to the next; in blocks none.
  let stride: Int
  let numbers: Numbers
  let order: Order
  /// How many numbers there are in memory, when rows are packed.
  let count: Int

  init(
    _ base: UnsafeRawPointer, columns: Int, depth: Int, stride: Int, _ numbers: Numbers,
    _ order: Order, count: Int? = nil
  ) {
    (self.base, self.columns, self.depth, self.stride) = (base, columns, depth, stride)
    (self.numbers, self.order, self.count) = (numbers, order, count ?? columns * depth)
  }

  /// Floats [columns, depth].
  public static func float(_ matrix: MatrixView) -> WeightView {
    WeightView(
      matrix.base, columns: matrix.rows, depth: matrix.columns, stride: matrix.stride, .float,
      .rows)
  }

  /// Packed bfloat16 [columns, depth].
  public static func brainFloat(
    _ base: UnsafePointer<UInt16>, columns: Int, depth: Int
  ) -> WeightView {
    WeightView(base, columns: columns, depth: depth, stride: depth, .brainFloat, .rows)
  }

  /// The same numbers for the product with the other side of the matrix.
  var transposed: WeightView {
    precondition(!order.isBlocked, "weights in blocks are for forward passes alone")
    return WeightView(
      base, columns: depth, depth: columns, stride: stride, numbers,
      order == .rows ? .transposed : .rows)
  }

  /// What some of the result's columns need; of weights in blocks, all of them.
  func columns(_ range: Range<Int>) -> WeightView {
    WeightView(
      base + place(ofColumn: range.lowerBound) * numbers.byteCount, columns: range.count,
      depth: depth, stride: stride, numbers, order)
  }

  private func place(ofColumn column: Int) -> Int {
    switch order {
    case .rows: return column * stride
    case .transposed: return column
    case .blocked:
      precondition(column == 0)
      return 0
    }
  }

  /// The same matrix with other numbers in the same places.
  func with(_ base: UnsafeRawPointer, _ numbers: Numbers) -> WeightView {
    WeightView(
      base, columns: columns, depth: depth, stride: stride, numbers, order, count: count)
  }
}
