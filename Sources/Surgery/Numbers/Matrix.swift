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
    product.withUnsafeMutableBufferPointer { product in
      right.values.withUnsafeBufferPointer { right in
        for row in 0..<left.rows {
          let width = product.count / max(1, left.rows)
          let target = UnsafeMutableBufferPointer(
            rebasing: product[row * width..<(row + 1) * width])
          addRow(left.values[row * left.columns..<(row + 1) * left.columns], right, to: target)
        }
      }
    }
    return Matrix(rows: left.rows, columns: right.columns, values: product)
  }

  /// Adds `coefficients` · self to a row.
  func addProduct(of coefficients: ArraySlice<Double>, to row: UnsafeMutableBufferPointer<Double>) {
    values.withUnsafeBufferPointer { addRow(coefficients, $0, to: row) }
  }

  static func scaled(_ matrix: Matrix, by factor: Double) -> Matrix {
    Matrix(
      rows: matrix.rows, columns: matrix.columns, values: matrix.values.map { $0 * factor })
  }
}

/// Adds the sum of `coefficients[k]` times row k of a matrix to `target`, four rows a pass, so that
/// the target is loaded and stored a quarter as often.
private func addRow(
  _ coefficients: ArraySlice<Double>, _ matrix: UnsafeBufferPointer<Double>,
  to target: UnsafeMutableBufferPointer<Double>
) {
  let width = target.count
  precondition(matrix.count >= coefficients.count * width)
  guard let source = matrix.baseAddress, let out = target.baseAddress else { return }
  var row = 0
  var rest = coefficients
  while rest.count >= 4 {
    let first = rest.startIndex
    let factors = SIMD4(rest[first], rest[first + 1], rest[first + 2], rest[first + 3])
    let rows = (
      source + row * width, source + (row + 1) * width, source + (row + 2) * width,
      source + (row + 3) * width
    )
    for column in 0..<width {
      out[column] +=
        (factors[0] * rows.0[column] + factors[1] * rows.1[column])
        + (factors[2] * rows.2[column] + factors[3] * rows.3[column])
    }
    rest = rest.dropFirst(4)
    row += 4
  }
  for factor in rest {
    for column in 0..<width { out[column] += factor * source[row * width + column] }
    row += 1
  }
}
