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
    let groups = (attention.heads + headsAtOnce - 1) / headsAtOnce
    parallelFor(count: windows.count * groups) { index in
      let window = index / groups
      let heads = panel(index % groups, of: headsAtOnce, in: attention.heads)
      backwardWindow(
        attention, windows[window], heads, parts, bias,
        tables: heads.map { tables[window * attention.heads + $0] },
        biasGradient: wantsBias ? biasRows.row(window) : nil)
    }
    return (tables.sum, wantsBias ? biases.summed() : nil)
  }

  /// - Parameter tables: of each head.
  private static func backwardWindow(
    _ attention: GridAttention, _ window: AttentionWindow, _ heads: Range<Int>,
    _ parts: GridAttentionGradient, _ bias: MatrixView, tables: [MatrixView?],
    biasGradient: UnsafeMutablePointer<Float>?
  ) {
    let (tokens, own) = (window.tokens, attention.columns(0, heads))
    let packed = window.gathered(attention, heads: heads, parts.projected, bias)
    // For each token: output, its gradient and the queries' gradient; and the logarithms.
    let scratch = Tensor(uninitialised: [tokens.count, 3 * own.count + heads.count])
    let kept = (0..<3).map { scratch.matrix.columns($0 * own.count..<($0 + 1) * own.count) }
    let sums = scratch.matrix.columns(3 * own.count..<3 * own.count + heads.count)
    let (output, gradient) = (parts.output.columns(own), parts.gradient.columns(own))
    for (row, token) in tokens.enumerated() {
      kept[0].row(row).update(from: output.row(token.row), count: own.count)
      kept[1].row(row).update(from: gradient.row(token.row), count: own.count)
      sums.row(row).update(
        from: parts.logSums.row(token.row) + heads.lowerBound, count: heads.count)
    }
    let changes = Tensor(uninitialised: [2] + packed.keys.shape)
    let (keys, values) = (changes[0].matrix, changes[1].matrix)
    let (q, k, v) = (packed.queries.matrix, packed.keys.matrix, packed.values.matrix)
    let places = tokens.map { (y: $0.y, x: $0.x) }
    for head in 0..<heads.count {
      let columns = head * attention.headWidth..<(head + 1) * attention.headWidth
      attendBackward(
        AttentionHead(
          queries: q.columns(columns), keys: k.columns(columns), values: v.columns(columns),
          output: kept[0].columns(columns), positions: (attention.positions, places),
          logSums: sums.columns(head..<head + 1)),
        AttentionHeadGradient(
          output: kept[1].columns(columns), queries: kept[2].columns(columns),
          keys: keys.columns(columns), values: values.columns(columns), table: tables[head]),
        scale: attention.scale)
    }
    scatter(kept[2], keys, values, of: window, attention, heads, parts, biasGradient)
    withExtendedLifetime((packed, scratch, changes)) {}
  }

  /// Brings the gradients of a window's q, k and v to where their tokens are; those of places beyond
  /// the grid are the bias's.
  private static func scatter(
    _ queries: MatrixView, _ keys: MatrixView, _ values: MatrixView, of window: AttentionWindow,
    _ attention: GridAttention, _ heads: Range<Int>, _ parts: GridAttentionGradient,
    _ biasGradient: UnsafeMutablePointer<Float>?
  ) {
    let target = parts.projectedGradient.columns(attention.columns(0, heads))
    for (row, token) in window.tokens.enumerated() {
      target.row(token.row).update(from: queries.row(row), count: queries.columns)
    }
    for (part, source) in [(1, keys), (2, values)] {
      let columns = attention.columns(part, heads)
      let target = parts.projectedGradient.columns(columns)
      for place in 0..<window.size * window.size {
        if let row = window.row(y: place / window.size, x: place % window.size) {
          target.row(row).update(from: source.row(place), count: columns.count)
        } else if let biasGradient {
          let (sums, row) = (biasGradient + columns.lowerBound, source.row(place))
          for index in 0..<columns.count { sums[index] += row[index] }
        }
      }
    }
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
