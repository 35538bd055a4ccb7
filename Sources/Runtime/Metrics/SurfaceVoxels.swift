/// The voxels of each class that touch something else, or the border of the volume, face to face.
///
/// The places ascend. They are what a mask loses to erosion by its 6 neighbours (4 in a picture),
/// `mask ^ scipy.ndimage.binary_erosion(mask)`.
func surfaceVoxels(of grid: LabelGrid, _ slots: ClassSlots) -> [[UInt32]] {
  let lattice = grid.lattice
  let piece = max(1, (1 << 18) / lattice.columns)
  let rows = lattice.rows * lattice.layers
  let parts = parallelMap(count: (rows + piece - 1) / piece) { index in
    SurfaceWalk(grid: grid, slots: slots).voxels(
      inRows: index * piece..<min(rows, (index + 1) * piece))
  }
  return slots.classes.indices.map { slot in parts.flatMap { $0[slot] } }
}

private struct SurfaceWalk {
  let grid: LabelGrid
  let slots: ClassSlots

  func voxels(inRows rows: Range<Int>) -> [[UInt32]] {
    var result = [[UInt32]](repeating: [], count: slots.count)
    grid.labels.withUnsafeBufferPointer { labels in
      for row in rows { append(row, labels, &result) }
    }
    return result
  }

  private func append(
    _ row: Int, _ labels: UnsafeBufferPointer<UInt16>, _ result: inout [[UInt32]]
  ) {
    let (lattice, isFlat) = (grid.lattice, grid.shape.count == 2)
    let (width, layer) = (lattice.columns, lattice.columns * lattice.rows)
    let (y, z) = (row % lattice.rows, row / lattice.rows)
    let isAtBorder =
      y == 0 || y == lattice.rows - 1 || !isFlat && (z == 0 || z == lattice.layers - 1)
    for x in 0..<width {
      let place = row * width + x
      let label = labels[place]
      guard let slot = slots[label] else { continue }
      let isInside =
        !isAtBorder && x > 0 && x < width - 1
        && labels[place - 1] == label && labels[place + 1] == label
        && labels[place - width] == label && labels[place + width] == label
        && (isFlat || labels[place - layer] == label && labels[place + layer] == label)
      if !isInside { result[slot].append(UInt32(place)) }
    }
  }
}
