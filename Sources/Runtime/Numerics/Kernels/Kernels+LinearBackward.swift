import Support

extension Kernels {
  /// out[m, k] = Σ_n gradient[m, n]·weight[n, k]: how a product's input takes part in it.
  public static func inputGradient(
    _ gradient: MatrixView, _ weight: WeightView, into output: MatrixView,
    accumulates: Bool = false
  ) {
    linear(gradient, weight.transposed, into: output, accumulates: accumulates)
  }

  /// out[n, k] = Σ_m gradient[m, n]·input[m, k]: how a product's weight takes part in it.
  ///
  /// Each panel of the result is one sum over all rows, in one order, on one thread.
  public static func weightGradient(
    _ gradient: MatrixView, _ input: MatrixView, into output: MatrixView,
    accumulates: Bool = false
  ) {
    precondition(gradient.rows == input.rows)
    precondition(output.rows == gradient.columns && output.columns == input.columns)
    // Few enough panels to pack little twice, and even in number for a few threads.
    let (height, width) = (192, 192)
    let across = (output.columns + width - 1) / width
    let down = (output.rows + height - 1) / height
    parallelFor(count: across * down) { index in
      let rows = panel(index / across, of: height, in: output.rows)
      let columns = panel(index % across, of: width, in: output.columns)
      product(
        gradient.columns(rows), input.columns(columns), transposesLeft: true, transposed: false,
        into: output.rows(rows).columns(columns), accumulates: accumulates)
    }
  }

  /// The sum of each column, in double precision over pieces of a fixed size.
  public static func columnSums(_ input: MatrixView, into output: UnsafeMutablePointer<Float>) {
    let (width, depth) = (256, 64)
    let target = MatrixView(output, rows: 1, columns: input.columns, stride: input.columns)
    parallelFor(count: (input.columns + width - 1) / width) { index in
      let columns = panel(index, of: width, in: input.columns)
      let part = input.columns(columns)
      var total = [Double](repeating: 0, count: columns.count)
      for start in stride(from: 0, to: part.rows, by: depth) {
        var sum = [Float](repeating: 0, count: columns.count)
        for row in start..<min(start + depth, part.rows) {
          let numbers = part.row(row)
          for column in sum.indices { sum[column] += numbers[column] }
        }
        for column in sum.indices { total[column] += Double(sum[column]) }
      }
      for (place, column) in columns.enumerated() { target.base[column] = Float(total[place]) }
    }
  }
}
