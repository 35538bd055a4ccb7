import CKernels
import Formats

/// A small matrix of doubles, row by row: a factor of a low-rank update.
struct Matrix: Sendable, Equatable {
  var rows: Int
  var columns: Int
  var values: [Double]

  init(rows: Int, columns: Int, values: [Double]) {
    precondition(values.count == rows * columns)
    self.rows = rows
    self.columns = columns
    self.values = values
  }

  /// Reads a tensor; one of more than two dimensions keeps its first and joins the others.
  ///
  /// - Throws: `SurgeryError` with code `notFinite` or `notFloat`, or what reading throws.
  init(_ entry: Blueprint.Entry) throws {
    rows = entry.info.shape.first ?? 1
    columns = rows == 0 ? 0 : entry.info.elementCount / rows
    let source = try NumberSource(entry)
    let count = entry.info.elementCount
    values = try [Double](unsafeUninitializedCapacity: count) { buffer, initialized in
      try source.read(into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initialized = count
    }
    if let place = values.firstIndex(where: { !$0.isFinite }) {
      throw SurgeryError(
        .notFinite, subject: entry.info.name.text, expected: "finite numbers",
        found: "\(values[place]) at element \(place)")
    }
  }

  subscript(_ row: Int, _ column: Int) -> Double { values[row * columns + column] }

  var transposed: Matrix {
    let turned = (0..<columns).flatMap { column in (0..<rows).map { self[$0, column] } }
    return Matrix(rows: columns, columns: rows, values: turned)
  }

  /// The matrix product in double precision.
  static func * (left: Matrix, right: Matrix) -> Matrix {
    precondition(left.columns == right.rows)
    var product = [Double](repeating: 0, count: left.rows * right.columns)
    product.withUnsafeMutableBufferPointer {
      right.addProduct(of: left, rows: 0..<left.rows, to: $0)
    }
    return Matrix(rows: left.rows, columns: right.columns, values: product)
  }

  /// Adds some rows of `left` times self to as many rows of numbers.
  func addProduct(
    of left: Matrix, rows: Range<Int>, to target: UnsafeMutableBufferPointer<Double>
  ) {
    precondition(left.columns == self.rows && target.count == rows.count * columns)
    precondition(rows.lowerBound >= 0 && rows.upperBound <= left.rows)
    guard let out = target.baseAddress else { return }
    left.values.withUnsafeBufferPointer { left in
      values.withUnsafeBufferPointer { right in
        guard let left = left.baseAddress, let right = right.baseAddress else { return }
        wt_add_product(
          out, left + rows.lowerBound * self.rows, right, rows.count, self.rows, columns)
      }
    }
  }

  static func scaled(_ matrix: Matrix, by factor: Double) -> Matrix {
    Matrix(
      rows: matrix.rows, columns: matrix.columns, values: matrix.values.map { $0 * factor })
  }
}
