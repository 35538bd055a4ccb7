/// Rows of numbers at equal distances in memory: what kernels see of a tensor.
///
/// Whoever makes one keeps the tensor alive while it is used.
public struct MatrixView: @unchecked Sendable {
  // Sendable, as kernels give every thread rows or columns of its own.
  public let base: UnsafeMutablePointer<Float>
  public let rows: Int
  public let columns: Int
  /// Numbers from one row to the next.
  public let stride: Int

  public init(_ base: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int) {
    precondition(rows >= 0 && columns >= 0 && stride >= columns)
    self.base = base
    self.rows = rows
    self.columns = columns
    self.stride = stride
  }

  /// Some of the rows.
  public func rows(_ range: Range<Int>) -> MatrixView {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    return MatrixView(
      base + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
  }

  /// Some of the columns.
  public func columns(_ range: Range<Int>) -> MatrixView {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns)
    return MatrixView(base + range.lowerBound, rows: rows, columns: range.count, stride: stride)
  }

  /// The place of a row.
  public func row(_ index: Int) -> UnsafeMutablePointer<Float> { base + index * stride }
}
