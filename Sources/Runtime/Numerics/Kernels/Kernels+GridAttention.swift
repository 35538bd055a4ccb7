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
  func columns(_ part: Int, _ head: Int) -> Range<Int> { columns(part, head..<head + 1) }

  /// The same of heads that follow one another.
  func columns(_ part: Int, _ heads: Range<Int>) -> Range<Int> {
    let start = part * width
    return start + heads.lowerBound * headWidth..<start + heads.upperBound * headWidth
  }
}

extension Kernels {
  /// Attention of every token to every token of its image.
  ///
  /// - Parameters:
  ///   - projected: q, k and v side by side, [images·grid², 3·width].
  ///   - output: [images·grid², width]
  ///   - logSums: where the logarithms of the sums of exponentials go, [images·grid², heads].
  public static func globalAttention(
    _ attention: GridAttention, _ projected: MatrixView, into output: MatrixView,
    logSums: MatrixView? = nil
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
      let rows = image * tokens + queries.lowerBound..<image * tokens + queries.upperBound
      attend(
        AttentionHead(
          queries: all.rows(queries).columns(attention.columns(0, head)),
          keys: all.columns(attention.columns(1, head)),
          values: all.columns(attention.columns(2, head)),
          output: output.rows(rows).columns(attention.columns(0, head)),
          positions: (attention.positions, places),
          logSums: logSums?.rows(rows).columns(head..<head + 1)),
        scale: attention.scale)
    }
  }

  /// Attention of every token to those of its window.
  ///
  /// Windows reach over the grid's far edges. What lies there is zero before the projection, so its
  /// keys and values are the projection's bias, and nobody needs its queries.
  ///
  /// - Parameters:
  ///   - bias: of the projection, [3·width].
  ///   - logSums: where the logarithms of the sums of exponentials go, [images·grid², heads].
  public static func windowAttention(
    _ attention: GridAttention, _ projected: MatrixView, bias: MatrixView, into output: MatrixView,
    logSums: MatrixView? = nil
  ) {
    let windows = attention.windows(images: projected.rows / (attention.grid * attention.grid))
    let groups = (attention.heads + headsAtOnce - 1) / headsAtOnce
    parallelFor(count: windows.count * groups) { index in
      let heads = panel(index % groups, of: headsAtOnce, in: attention.heads)
      attendWindow(
        attention, windows[index / groups], heads, projected, bias, output, logSums)
    }
  }

  /// Heads of a window that one thread works on, so that it reads long enough runs of memory.
  static let headsAtOnce = 4

  private static func attendWindow(
    _ attention: GridAttention, _ window: AttentionWindow, _ heads: Range<Int>,
    _ projected: MatrixView, _ bias: MatrixView, _ output: MatrixView, _ logSums: MatrixView?
  ) {
    let (tokens, width) = (window.tokens, attention.headWidth)
    let packed = window.gathered(attention, heads: heads, projected, bias)
    let storage = Tensor(uninitialised: [tokens.count, heads.count * (width + 1)])
    let results = storage.matrix.columns(0..<heads.count * width)
    let sums = storage.matrix.columns(heads.count * width..<heads.count * (width + 1))
    let (queries, keys, values) = (
      packed.queries.matrix, packed.keys.matrix, packed.values.matrix
    )
    let places = tokens.map { (y: $0.y, x: $0.x) }
    for head in 0..<heads.count {
      let columns = head * width..<(head + 1) * width
      attend(
        AttentionHead(
          queries: queries.columns(columns), keys: keys.columns(columns),
          values: values.columns(columns), output: results.columns(columns),
          positions: (attention.positions, places),
          logSums: logSums == nil ? nil : sums.columns(head..<head + 1)),
        scale: attention.scale)
    }
    let target = output.columns(attention.columns(0, heads))
    for (row, token) in tokens.enumerated() {
      target.row(token.row).update(from: results.row(row), count: results.columns)
      (logSums?.row(token.row)).map {
        ($0 + heads.lowerBound).update(from: sums.row(row), count: heads.count)
      }
    }
    withExtendedLifetime((packed, storage)) {}
  }

  /// Attention between two sets of tokens without positions, for each image by itself.
  ///
  /// - Parameters:
  ///   - queries: [images·m, heads·head width]; keys and values [images·n, …]; output as queries.
  public static func crossAttention(
    _ queries: MatrixView, _ keys: MatrixView, _ values: MatrixView, heads: Int, images: Int,
    into output: MatrixView, logSums: MatrixView? = nil
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
          values: values.rows(all).columns(columns), output: output.rows(rows).columns(columns),
          logSums: logSums?.rows(rows).columns(head..<head + 1)),
        scale: 1 / Float(width).squareRoot())
    }
  }
}
