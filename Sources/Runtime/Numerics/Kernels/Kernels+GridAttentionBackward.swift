import Support

/// What a grid's attention kept, and where its gradients go.
struct GridAttentionGradient: Sendable {
  /// q, k and v, [images·grid², 3·width].
  var projected: MatrixView
  /// What attention gave, [images·grid², width].
  var output: MatrixView
  /// The logarithms of the sums of exponentials, [images·grid², heads].
  var logSums: MatrixView
  /// Of what it gave, [images·grid², width].
  var gradient: MatrixView
  /// Written: the gradient of q, k and v.
  var projectedGradient: MatrixView
}

extension Kernels {
  /// Differentiates `globalAttention`; every head of an image is one thread's.
  ///
  /// - Returns: the gradient of the table of positions, if that is wanted.
  static func globalAttentionBackward(
    _ attention: GridAttention, _ parts: GridAttentionGradient, wantsTable: Bool
  ) -> Tensor? {
    let tokens = attention.grid * attention.grid
    let count = parts.projected.rows / tokens * attention.heads
    let places = (0..<tokens).map { (y: $0 / attention.grid, x: $0 % attention.grid) }
    let tables = TableGradients(attention, count: wantsTable ? count : 0)
    parallelFor(count: count) { index in
      let (image, head) = (index / attention.heads, index % attention.heads)
      let rows = image * tokens..<(image + 1) * tokens
      let columns = (0..<3).map { attention.columns($0, head) }
      let (projected, change) = (parts.projected.rows(rows), parts.projectedGradient.rows(rows))
      attendBackward(
        AttentionHead(
          queries: projected.columns(columns[0]), keys: projected.columns(columns[1]),
          values: projected.columns(columns[2]),
          output: parts.output.rows(rows).columns(columns[0]),
          positions: (attention.positions, places),
          logSums: parts.logSums.rows(rows).columns(head..<head + 1)),
        AttentionHeadGradient(
          output: parts.gradient.rows(rows).columns(columns[0]),
          queries: change.columns(columns[0]), keys: change.columns(columns[1]),
          values: change.columns(columns[2]), table: tables[index]),
        scale: attention.scale)
    }
    return tables.sum
  }

  /// Differentiates `windowAttention`.
  ///
  /// - Parameter bias: of the projection, [3·width].
  /// - Returns: the gradients of the table of positions, if that is wanted, and of the bias through
  ///   what lies beyond the grid.
  static func windowAttentionBackward(
    _ attention: GridAttention, _ parts: GridAttentionGradient, bias: MatrixView,
    wantsTable: Bool, wantsBias: Bool
  ) -> (table: Tensor?, bias: Tensor?) {
    let windows = attention.windows(
      images: parts.projected.rows / (attention.grid * attention.grid))
    let tables = TableGradients(
      attention, count: wantsTable ? windows.count * attention.heads : 0)
    let biases = Tensor(
      repeating: 0, shape: [wantsBias ? windows.count : 0, 3 * attention.width])
    let biasRows = biases.matrix
    parallelFor(count: windows.count * attention.heads) { index in
      let (window, head) = (index / attention.heads, index % attention.heads)
      backwardWindow(
        attention, windows[window], head, parts, bias, table: tables[index],
        biasGradient: wantsBias ? biasRows.row(window) : nil)
    }
    return (tables.sum, wantsBias ? biases.summed() : nil)
  }

  private static func backwardWindow(
    _ attention: GridAttention, _ window: AttentionWindow, _ head: Int,
    _ parts: GridAttentionGradient, _ bias: MatrixView, table: MatrixView?,
    biasGradient: UnsafeMutablePointer<Float>?
  ) {
    let (tokens, width) = (window.tokens, attention.headWidth)
    let packed = window.gathered(attention, head, parts.projected, bias)
    // For each token: output, its gradient, the queries' gradient, and the logarithm.
    let scratch = Tensor(uninitialised: [tokens.count, 3 * width + 1])
    let (rows, start) = (scratch.matrix, head * width)
    for (row, token) in tokens.enumerated() {
      rows.row(row).update(from: parts.output.row(token.row) + start, count: width)
      (rows.row(row) + width).update(from: parts.gradient.row(token.row) + start, count: width)
      rows.row(row)[3 * width] = parts.logSums.row(token.row)[head]
    }
    let (keys, values) = (
      Tensor(uninitialised: packed.keys.shape), Tensor(uninitialised: packed.values.shape)
    )
    attendBackward(
      AttentionHead(
        queries: packed.queries.matrix, keys: packed.keys.matrix, values: packed.values.matrix,
        output: rows.columns(0..<width),
        positions: (attention.positions, tokens.map { (y: $0.y, x: $0.x) }),
        logSums: rows.columns(3 * width..<3 * width + 1)),
      AttentionHeadGradient(
        output: rows.columns(width..<2 * width), queries: rows.columns(2 * width..<3 * width),
        keys: keys.matrix, values: values.matrix, table: table),
      scale: attention.scale)
    for (row, token) in tokens.enumerated() {
      (parts.projectedGradient.row(token.row) + start).update(
        from: rows.row(row) + 2 * width, count: width)
    }
    for (part, source) in [keys.matrix, values.matrix].enumerated() {
      let column = attention.columns(part + 1, head).lowerBound
      for key in 0..<window.size * window.size {
        if let row = window.row(y: key / window.size, x: key % window.size) {
          (parts.projectedGradient.row(row) + column).update(from: source.row(key), count: width)
        } else if let biasGradient {
          for index in 0..<width { biasGradient[column + index] += source.row(key)[index] }
        }
      }
    }
    withExtendedLifetime((packed, scratch, keys, values)) {}
  }

  /// Differentiates `crossAttention`; gradients are written like what they belong to.
  static func crossAttentionBackward(
    _ operands: [MatrixView], output: MatrixView, logSums: MatrixView, gradient: MatrixView,
    heads: Int, images: Int, into gradients: [MatrixView]
  ) {
    guard images > 0, output.rows > 0 else { return }
    let (m, n) = (operands[0].rows / images, operands[1].rows / images)
    let width = output.columns / heads
    parallelFor(count: images * heads) { index in
      let (image, head) = (index / heads, index % heads)
      let (rows, all) = (image * m..<(image + 1) * m, image * n..<(image + 1) * n)
      let columns = head * width..<(head + 1) * width
      attendBackward(
        AttentionHead(
          queries: operands[0].rows(rows).columns(columns),
          keys: operands[1].rows(all).columns(columns),
          values: operands[2].rows(all).columns(columns),
          output: output.rows(rows).columns(columns),
          logSums: logSums.rows(rows).columns(head..<head + 1)),
        AttentionHeadGradient(
          output: gradient.rows(rows).columns(columns),
          queries: gradients[0].rows(rows).columns(columns),
          keys: gradients[1].rows(all).columns(columns),
          values: gradients[2].rows(all).columns(columns)),
        scale: 1 / Float(width).squareRoot())
    }
  }
}

/// A table gradient for every piece of work, summed in their order.
private struct TableGradients: Sendable {
  private let all: Tensor

  init(_ attention: GridAttention, count: Int) {
    all = Tensor(repeating: 0, shape: [count] + attention.positions.table.shape)
  }

  subscript(index: Int) -> MatrixView? { all.shape[0] > 0 ? all[index].matrix : nil }

  var sum: Tensor? { all.shape[0] > 0 ? all.summed() : nil }
}
