/// How a chunked dataset is cut into slabs that are read one after another.
///
/// A slab is one index in each outer dimension, a range of one axis, and all of the dimensions
/// within. The axis is the one with which chunks are decoded the least often: once, as long as a
/// slab of whole chunks takes no more than it may.
struct HDF5Slabs {
  /// What a slab takes, if chunks are small.
  static let slabBytes = 16 << 20
  /// What a slab may take rather than decode chunks several times.
  static let layerBytes = 128 << 20

  private let shape: [Int]
  private let axis: Int
  /// Extent of a slab along the axis.
  private let rows: Int
  private let slabsPerRow: Int
  let count: Int
  /// How often a chunk is decoded.
  let passes: Int

  /// - Parameter fileBytes: a slab may take twice that, so that a tensor that is cut across its rows
  ///   is read in few passes.
  init(_ dataset: HDF5Dataset, _ chunks: HDF5Chunks, fileBytes: Int) {
    let shape = dataset.info.shape
    let cut = Self.cut(
      shape, chunks.shape, elementBytes: dataset.elementBytes,
      layerBytes: max(Self.layerBytes, min(2 * fileBytes, Budgets.materialisedBytes)))
    (axis, rows, passes) = cut
    slabsPerRow = (shape[cut.axis] - 1) / cut.rows + 1
    count = shape[..<cut.axis].reduce(slabsPerRow, *)
    self.shape = shape
  }

  private static func cut(
    _ shape: [Int], _ chunk: [Int], elementBytes: Int, layerBytes: Int
  ) -> (axis: Int, rows: Int, passes: Int) {
    // Bytes of one index of each dimension.
    var inner = [Int](repeating: elementBytes, count: shape.count)
    for place in shape.indices.dropLast().reversed() {
      inner[place] = inner[place + 1] * shape[place + 1]
    }
    var best = (axis: shape.count - 1, rows: 1, passes: Int.max, bytes: 0)
    // One index in an outer dimension takes a chunk as often as the chunk has indices there.
    var outer = 1
    for place in shape.indices {
      let extent = min(chunk[place], shape[place])
      let most = layerBytes / inner[place]
      if most > 0 {
        let fitting = slabBytes / inner[place] / extent * extent
        let rows = most < extent ? most : max(extent, fitting)
        let passes = outer * ((extent - 1) / rows + 1)
        // Of two that are as quick the deeper one, if the other takes more memory than it must.
        let isLarge = best.bytes > slabBytes
        if passes < best.passes || passes == best.passes && isLarge {
          best = (place, rows, passes, rows * inner[place])
        }
      }
      outer *= extent
    }
    return (best.axis, best.rows, best.passes)
  }

  subscript(_ index: Int) -> HDF5Box {
    var (rest, step) = index.quotientAndRemainder(dividingBy: slabsPerRow)
    var box = HDF5Box(origin: [Int](repeating: 0, count: shape.count), extents: shape)
    step *= rows
    box.origin[axis] = step
    box.extents[axis] = min(rows, shape[axis] - step)
    for place in (0..<axis).reversed() {
      (rest, box.origin[place]) = rest.quotientAndRemainder(dividingBy: shape[place])
      box.extents[place] = 1
    }
    return box
  }
}
