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
    guard attention.isMultiple(of: head) else {
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
  /// Windowed blocks have 2·window − 1 rows and global ones 2·grid − 1, which tells them apart unless
  /// the metadata, which a resize writes, says it. Where all have the length of global ones, the grid is
  /// as large as the window, both kinds are the same calculation, and only metadata or SAM's published
  /// layouts tell. Lengths of neither kind have not been resized with the grid: the longer are global.
  private static func attentionSpans(
    _ rows: [Int], _ grid: Int, _ width: Int, _ metadata: ModelMetadata
  ) throws -> (window: Int?, global: [Int]?) {
    guard let shortest = rows.min(), let longest = rows.max() else { return (nil, nil) }
    if let recorded = try metadata.globalBlocks {
      return (try checked(window(rows, besides: recorded), grid), recorded)
    }
    if shortest < longest {
      let fitting = rows.indices.filter { rows[$0] == 2 * grid - 1 }
      let rest = Set(rows.indices).subtracting(fitting).map { rows[$0] }
      if !fitting.isEmpty, Set(rest).count == 1 {
        return (try checked((rest[0] + 1) / 2, grid), fitting)
      }
      return (
        try checked((shortest + 1) / 2, grid), rows.indices.filter { rows[$0] > shortest }
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
