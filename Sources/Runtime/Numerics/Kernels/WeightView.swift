/// A weight as a matrix product reads it: [columns, depth], or [depth, columns] when transposed.
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

  let base: UnsafeRawPointer
  /// Of the result.
  let columns: Int
  let depth: Int
  /// Numbers from one stored row to the next.
  let stride: Int
  let numbers: Numbers
  let isTransposed: Bool

  /// Floats [columns, depth].
  public static func float(_ matrix: MatrixView) -> WeightView {
    WeightView(
      base: matrix.base, columns: matrix.rows, depth: matrix.columns, stride: matrix.stride,
      numbers: .float, isTransposed: false)
  }

  /// Packed bfloat16 [columns, depth].
  public static func brainFloat(
    _ base: UnsafePointer<UInt16>, columns: Int, depth: Int
  ) -> WeightView {
    WeightView(
      base: base, columns: columns, depth: depth, stride: depth, numbers: .brainFloat,
      isTransposed: false)
  }

  /// The same numbers for the product with the other side of the matrix.
  var transposed: WeightView {
    WeightView(
      base: base, columns: depth, depth: columns, stride: stride, numbers: numbers,
      isTransposed: !isTransposed)
  }

  /// What some of the result's columns need.
  func columns(_ range: Range<Int>) -> WeightView {
    let place = range.lowerBound * (isTransposed ? 1 : stride)
    return WeightView(
      base: base + place * numbers.byteCount, columns: range.count, depth: depth,
      stride: stride, numbers: numbers, isTransposed: isTransposed)
  }

  /// The same matrix with other numbers in the same places.
  func with(_ base: UnsafeRawPointer, _ numbers: Numbers) -> WeightView {
    WeightView(
      base: base, columns: columns, depth: depth, stride: stride, numbers: numbers,
      isTransposed: isTransposed)
  }

  /// How many numbers there are in memory, when rows are packed.
  var count: Int { columns * depth }
}
