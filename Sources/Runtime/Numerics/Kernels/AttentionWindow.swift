/// A square of an image's grid that may reach over its far edges.
struct AttentionWindow: Sendable {
  var image: Int
  var top: Int
  var left: Int
  var size: Int
  var grid: Int

  /// The row of a place of the window among all tokens, nil beyond the grid.
  func row(y: Int, x: Int) -> Int? {
    guard top + y < grid, left + x < grid else { return nil }
    return (image * grid + top + y) * grid + left + x
  }

  /// The places that hold tokens.
  var tokens: [(row: Int, y: Int, x: Int)] {
    (0..<size * size).compactMap { place in
      row(y: place / size, x: place % size).map { ($0, place / size, place % size) }
    }
  }

  /// Queries of the tokens, keys and values of all places, each packed.
  ///
  /// What lies beyond the grid is zero before the projection, so its keys and values are the bias.
  func gathered(
    _ attention: GridAttention, _ head: Int, _ projected: MatrixView, _ bias: MatrixView
  ) -> (queries: Tensor, keys: Tensor, values: Tensor) {
    let width = attention.headWidth
    let tokens = tokens
    let queries = Tensor(uninitialised: [tokens.count, width])
    for (row, token) in tokens.enumerated() {
      queries.matrix.row(row).update(from: projected.row(token.row) + head * width, count: width)
    }
    let others = (1...2).map { part in
      let target = Tensor(uninitialised: [size * size, width])
      let column = attention.columns(part, head).lowerBound
      for key in 0..<size * size {
        let row = self.row(y: key / size, x: key % size)
        let source = row.map { projected.row($0) + column } ?? bias.base + column
        target.matrix.row(key).update(from: source, count: width)
      }
      return target
    }
    return (queries, others[0], others[1])
  }
}

extension GridAttention {
  /// All windows of some images.
  func windows(images: Int) -> [AttentionWindow] {
    let size = window ?? grid
    let across = (grid + size - 1) / size
    return (0..<images * across * across).map { place in
      AttentionWindow(
        image: place / (across * across), top: place / across % across * size,
        left: place % across * size, size: size, grid: grid)
    }
  }
}
