import COneDNN
import Support

extension Kernels {
  /// out = scale·left·right, or of their transposes, on the calling thread; for small products.
  static func product(
    _ left: MatrixView, _ right: MatrixView, transposesLeft: Bool = false, transposed: Bool,
    scale: Float = 1, into output: MatrixView, accumulates: Bool = false
  ) {
    let depth = transposesLeft ? left.rows : left.columns
    precondition((transposesLeft ? left.columns : left.rows) == output.rows)
    precondition((transposed ? right.columns : right.rows) == depth)
    precondition((transposed ? right.rows : right.columns) == output.columns)
    guard output.rows > 0, output.columns > 0 else { return }
    omp_set_num_threads(1)
    check(
      dnnl_sgemm(
        CChar(UInt8(ascii: transposesLeft ? "T" : "N")),
        CChar(UInt8(ascii: transposed ? "T" : "N")),
        dnnl_dim_t(output.rows), dnnl_dim_t(output.columns), dnnl_dim_t(depth), scale, left.base,
        dnnl_dim_t(left.stride), right.base, dnnl_dim_t(right.stride), accumulates ? 1 : 0,
        output.base, dnnl_dim_t(output.stride)))
  }

  /// left·rightᵀ for each of `count` pairs of matrices that follow one another.
  ///
  /// - Parameters:
  ///   - left: [count·a, k]; right: [count·b, k]; output: [count·a, b].
  public static func products(
    _ left: MatrixView, _ right: MatrixView, count: Int, into output: MatrixView
  ) {
    guard count > 0 else { return }
    let (a, b) = (left.rows / count, right.rows / count)
    let panels = (b + productColumns - 1) / productColumns
    parallelFor(count: count * panels) { index in
      let (pair, columns) = (index / panels, panel(index % panels, of: productColumns, in: b))
      let rows = pair * b + columns.lowerBound..<pair * b + columns.upperBound
      product(
        left.rows(pair * a..<(pair + 1) * a), right.rows(rows), transposed: true,
        into: output.rows(pair * a..<(pair + 1) * a).columns(columns))
    }
  }

  /// left·right for each pair: [count·a, b] and [count·b, k] give [count·a, k].
  static func pairProducts(
    _ left: MatrixView, _ right: MatrixView, count: Int, into output: MatrixView
  ) {
    guard count > 0 else { return }
    let (a, b) = (left.rows / count, right.rows / count)
    parallelFor(count: count) { pair in
      let rows = pair * a..<(pair + 1) * a
      product(
        left.rows(rows), right.rows(pair * b..<(pair + 1) * b), transposed: false,
        into: output.rows(rows))
    }
  }

  /// leftᵀ·right for each pair: [count·a, b] and [count·a, k] give [count·b, k].
  static func transposedPairProducts(
    _ left: MatrixView, _ right: MatrixView, count: Int, into output: MatrixView
  ) {
    guard count > 0 else { return }
    let (a, b) = (left.rows / count, output.rows / count)
    let panels = (b + productColumns - 1) / productColumns
    parallelFor(count: count * panels) { index in
      let (pair, columns) = (index / panels, panel(index % panels, of: productColumns, in: b))
      let rows = pair * a..<(pair + 1) * a
      product(
        left.rows(rows).columns(columns), right.rows(rows), transposesLeft: true,
        transposed: false,
        into: output.rows(pair * b + columns.lowerBound..<pair * b + columns.upperBound))
    }
  }

  private static let productColumns = 1 << 14
}
