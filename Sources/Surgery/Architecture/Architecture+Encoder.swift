import Formats

extension Architecture {
  /// What the shapes of the encoder's tensors tell; nil when there is no encoder.
  static func encoder(
    _ symbols: [String: Int], _ shapes: ShapeTable, _ metadata: ModelMetadata
  ) throws -> Encoder? {
    guard let width = symbols["d"], let depth = symbols["L"], let grid = symbols["g"],
      let patch = symbols["p"], let attention = symbols["a"], let head = symbols["h"], head > 0,
      let mlp = symbols["m"]
    else { return nil }
    guard attention > 0, attention.isMultiple(of: head) else {
      throw SurgeryError(
        .schemaMismatch, subject: ModelNames.relativePositions(0, axis: "h").text,
        expected: "a head width that divides \(attention)", found: "\(head)")
    }
    let rows = (0..<depth).map { shapes[ModelNames.relativePositions($0, axis: "h")]?.first ?? 0 }
    let (window, global) = try attentionSpans(rows, grid, width, metadata)
    return Encoder(
      width: width, depth: depth, heads: attention / head, attentionWidth: attention,
      mlpWidth: mlp, patch: patch, grid: grid, window: window, globalBlocks: global)
  }

  /// Which blocks attend in windows, by the lengths of their relative positions.
  ///
  /// Windowed blocks have 2·window − 1 rows and global ones 2·grid − 1. The longer ones are global,
  /// unless the grid is smaller than the window or the metadata, which a resize writes, says otherwise.
  /// Where all are equally long and as long as a global block's, the grid is as large as the window,
  /// both kinds are the same calculation, and only metadata or SAM's published layouts tell them apart.
  private static func attentionSpans(
    _ rows: [Int], _ grid: Int, _ width: Int, _ metadata: ModelMetadata
  ) throws -> (window: Int?, global: [Int]?) {
    guard let shortest = rows.min(), let longest = rows.max() else { return (nil, nil) }
    if let recorded = try metadata.globalBlocks {
      return (try checked(window(rows, besides: recorded), grid), recorded)
    }
    if shortest < longest {
      // The shorter are global where they fit a grid that is smaller than the window; where the window
      // happens to be as large as the grid they fit as well, and the longer are global tables that have
      // not been resized. The last block is global in every published layout.
      let isSmallGrid = shortest == 2 * grid - 1 && rows[rows.count - 1] == shortest
      let (local, global) = isSmallGrid ? (longest, shortest) : (shortest, longest)
      let isUniform = isSmallGrid && rows.allSatisfy { $0 == local || $0 == global }
      return (
        try checked((local + 1) / 2, grid),
        rows.indices.filter { isUniform ? rows[$0] == global : rows[$0] > shortest }
      )
    }
    let window = try checked((shortest + 1) / 2, grid)
    guard shortest == 2 * grid - 1 else { return (window, []) }
    return (window, publishedGlobalBlocks(width: width, depth: rows.count))
  }

  /// Far more than any model has; a window is filled up to its size, however small the grid is.
  private static let largestWindow = 128

  private static func checked(_ window: Int?, _ grid: Int) throws -> Int? {
    guard let window, window > max(grid, largestWindow) else { return window }
    throw SurgeryError(
      .schemaMismatch, subject: ModelNames.relativePositions(0, axis: "h").text,
      expected: "windows of at most \(max(grid, largestWindow)) tokens a side", found: "\(window)")
  }

  /// The window of the blocks that the metadata does not call global.
  private static func window(_ rows: [Int], besides global: [Int]) throws -> Int? {
    let windowed = rows.indices.filter { !global.contains($0) }
    let lengths = (windowed.map { rows[$0] }, global.filter(rows.indices.contains).map { rows[$0] })
    guard global.allSatisfy(rows.indices.contains), Set(lengths.0).count <= 1,
      Set(lengths.1).count <= 1
    else {
      throw SurgeryError(
        .badMetadata, subject: ModelMetadata.Key.globalBlocks.rawValue,
        expected: "blocks whose relative positions are equally long, and so all others",
        found: "\(global) where the lengths are \(rows)")
    }
    return lengths.0.first.map { ($0 + 1) / 2 }
  }

  /// The layouts of segment_anything/build_sam.py.
  private static func publishedGlobalBlocks(width: Int, depth: Int) -> [Int]? {
    switch (width, depth) {
    case (768, 12): [2, 5, 8, 11]
    case (1024, 24): [5, 11, 17, 23]
    case (1280, 32): [7, 15, 23, 31]
    default: nil
    }
  }
}
