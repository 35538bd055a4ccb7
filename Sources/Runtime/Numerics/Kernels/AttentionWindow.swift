/// A square of an image's grid that may reach over its far edges.
struct AttentionWindow: Sendable {
  let image: Int
  let top: Int
  let left: Int
  let size: Int
  let grid: Int

  /// The row of a place of the window among all tokens, nil beyond the grid.
  func row(y: Int, x: Int) -> Int? {
    guard top + y < grid, left + x < grid else { return nil }
    return (image * grid + top + y) * grid + left + x
  }

  /// The places that hold tokens.
  let tokens: [(row: Int, y: Int, x: Int)]

  init(image: Int, top: Int, left: Int, size: Int, grid: Int) {
    (self.image, self.top, self.left, self.size, self.grid) = (image, top, left, size, grid)
    let (rows, columns) = (min(size, grid - top), min(size, grid - left))
    tokens = (0..<rows * columns).map { place in
      let (y, x) = (place / columns, place % columns)
      return ((image * grid + top + y) * grid + left + x, y, x)
    }
  }

  /// Queries of the tokens, keys and values of all places, [rows, heads·head width] each.
  ///
  /// What lies beyond the grid is zero before the projection, so its keys and values are the bias.
  func gathered(
    _ attention: GridAttention, heads: Range<Int>, _ projected: MatrixView, _ bias: MatrixView
  ) -> (queries: Tensor, keys: Tensor, values: Tensor) {
    let parts = (0..<3).map { part in
      let columns = attention.columns(part, heads)
      let rows = part == 0 ? tokens.count : size * size
      let result = Tensor(uninitialised: [rows, columns.count])
      let (target, source) = (result.matrix, projected.columns(columns))
      if part == 0 {
        for (row, token) in tokens.enumerated() {
          target.row(row).update(from: source.row(token.row), count: columns.count)
        }
      } else {
        for place in 0..<rows {
          let row = self.row(y: place / size, x: place % size)
          target.row(place).update(
            from: row.map { source.row($0) } ?? bias.base + columns.lowerBound,
            count: columns.count)
        }
      }
      return result
    }
    return (parts[0], parts[1], parts[2])
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
