import COneDNN
import Support

extension Kernels {
  /// out = scale·left·right, or ·rightᵀ, on the calling thread; for the tiles of attention.
  static func product(
    _ left: MatrixView, _ right: MatrixView, transposed: Bool, scale: Float = 1,
    into output: MatrixView, accumulates: Bool = false
  ) {
    let depth = left.columns
    precondition(left.rows == output.rows)
    precondition((transposed ? right.columns : right.rows) == depth)
    precondition((transposed ? right.rows : right.columns) == output.columns)
    guard output.rows > 0, output.columns > 0 else { return }
    omp_set_num_threads(1)
    check(
      dnnl_sgemm(
        CChar(UInt8(ascii: "N")), CChar(UInt8(ascii: transposed ? "T" : "N")),
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

  private static let productColumns = 1 << 14
}
