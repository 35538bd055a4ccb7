import Support

/// Self-attention of images over their grids of tokens, as SAM's encoder has it.
public struct GridAttention: Sendable {
  public var heads: Int
  public var headWidth: Int
  /// Tokens a side.
  public var grid: Int
  /// Tokens a side of the windows that attention stays in; nil for the whole grid.
  public var window: Int?
  /// For a grid as large as the window, or as the grid without one.
  public var positions: RelativePositions

  public init(
    heads: Int, headWidth: Int, grid: Int, window: Int?, positions: RelativePositions
  ) {
    precondition(positions.grid == window ?? grid)
    self.heads = heads
    self.headWidth = headWidth
    self.grid = grid
    self.window = window
    self.positions = positions
  }

  var width: Int { heads * headWidth }
  var scale: Float { 1 / Float(headWidth).squareRoot() }

  /// The columns of one of q, k and v (0, 1, 2) that belong to a head.
  func columns(_ part: Int, _ head: Int) -> Range<Int> {
    let start = part * width + head * headWidth
    return start..<start + headWidth
  }
}

extension Kernels {
  /// Attention of every token to every token of its image.
  ///
  /// - Parameters:
  ///   - projected: q, k and v side by side, [images·grid², 3·width].
  ///   - output: [images·grid², width]
  public static func globalAttention(
    _ attention: GridAttention, _ projected: MatrixView, into output: MatrixView
  ) {
    let tokens = attention.grid * attention.grid
    let tile = attentionTile(queries: tokens, keys: tokens)
    let tiles = (tokens + tile - 1) / tile
    let images = projected.rows / tokens
    parallelFor(count: images * attention.heads * tiles) { index in
      let (image, head) = (index / tiles / attention.heads, index / tiles % attention.heads)
      let queries = panel(index % tiles, of: tile, in: tokens)
      let all = projected.rows(image * tokens..<(image + 1) * tokens)
      let places = queries.map { (y: $0 / attention.grid, x: $0 % attention.grid) }
      attend(
        AttentionHead(
          queries: all.rows(queries).columns(attention.columns(0, head)),
          keys: all.columns(attention.columns(1, head)),
          values: all.columns(attention.columns(2, head)),
          output: output.rows(
            image * tokens + queries.lowerBound..<image * tokens
              + queries.upperBound
          ).columns(attention.columns(0, head)),
          positions: (attention.positions, places)),
        scale: attention.scale)
    }
  }

  /// Attention of every token to those of its window.
  ///
  /// Windows reach over the grid's far edges. What lies there is zero before the projection, so its
  /// keys and values are the projection's bias, and nobody needs its queries.
  ///
  /// - Parameter bias: of the projection, [3·width].
  public static func windowAttention(
    _ attention: GridAttention, _ projected: MatrixView, bias: MatrixView, into output: MatrixView
  ) {
    let (grid, window) = (attention.grid, attention.window ?? attention.grid)
    let across = (grid + window - 1) / window
    let images = projected.rows / (grid * grid)
    parallelFor(count: images * across * across * attention.heads) { index in
      let (head, place) = (index % attention.heads, index / attention.heads)
      let piece = Window(
        image: place / (across * across), top: place / across % across * window,
        left: place % across * window, size: window, grid: grid)
      attendWindow(attention, piece, head, projected, bias, output)
    }
  }

  private static func attendWindow(
    _ attention: GridAttention, _ window: Window, _ head: Int, _ projected: MatrixView,
    _ bias: MatrixView, _ output: MatrixView
  ) {
    let (width, keys, tokens) = (attention.headWidth, window.size * window.size, window.tokens)
    // Queries, keys, values and results, each packed.
    let scratch = Tensor(uninitialised: [2 * tokens.count + 2 * keys, width])
    let queries = scratch.matrix.rows(0..<tokens.count)
    let results = scratch.matrix.rows(tokens.count..<2 * tokens.count)
    let gathered = (0..<2).map { part in
      let start = 2 * tokens.count + part * keys
      return scratch.matrix.rows(start..<start + keys)
    }
    for (row, token) in tokens.enumerated() {
      let source = projected.row(token.row) + head * width
      queries.row(row).update(from: source, count: width)
    }
    for (part, target) in gathered.enumerated() {
      let column = attention.columns(part + 1, head).lowerBound
      for key in 0..<keys {
        let row = window.row(y: key / window.size, x: key % window.size)
        let source = row.map { projected.row($0) + column } ?? bias.base + column
        target.row(key).update(from: source, count: width)
      }
    }
    attend(
      AttentionHead(
        queries: queries, keys: gathered[0], values: gathered[1], output: results,
        positions: (attention.positions, tokens.map { (y: $0.y, x: $0.x) })),
      scale: attention.scale)
    for (row, token) in tokens.enumerated() {
      (output.row(token.row) + head * width).update(from: results.row(row), count: width)
    }
    withExtendedLifetime(scratch) {}
  }

  /// A square of an image's grid that may reach over its far edges.
  private struct Window {
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
  }

  /// Attention between two sets of tokens without positions, for each image by itself.
  ///
  /// - Parameters:
  ///   - queries: [images·m, heads·head width]; keys and values [images·n, …]; output as queries.
  public static func crossAttention(
    _ queries: MatrixView, _ keys: MatrixView, _ values: MatrixView, heads: Int, images: Int,
    into output: MatrixView
  ) {
    guard images > 0, queries.rows > 0 else { return }
    let (m, n, width) = (queries.rows / images, keys.rows / images, queries.columns / heads)
    let tile = attentionTile(queries: m, keys: n)
    let tiles = (m + tile - 1) / tile
    parallelFor(count: images * heads * tiles) { index in
      let (image, head) = (index / tiles / heads, index / tiles % heads)
      let range = panel(index % tiles, of: tile, in: m)
      let rows = image * m + range.lowerBound..<image * m + range.upperBound
      let all = image * n..<(image + 1) * n
      let columns = head * width..<(head + 1) * width
      attend(
        AttentionHead(
          queries: queries.rows(rows).columns(columns), keys: keys.rows(all).columns(columns),
          values: values.rows(all).columns(columns), output: output.rows(rows).columns(columns)),
        scale: 1 / Float(width).squareRoot())
    }
  }
}
