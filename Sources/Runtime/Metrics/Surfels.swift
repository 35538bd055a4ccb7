/// The pieces of a class's surface, one for each cell of eight voxels that are not all alike.
struct Surfels: Sendable, Equatable {
  /// Places among the corners of the voxels, ascending.
  var places: [UInt32] = []
  /// Which of the eight voxels belong to the class: bit dx + 2·dy + 4·dz.
  ///
  /// In a picture both halves are the same four bits.
  var codes: [UInt8] = []
}

/// A class's surface, in parts that follow one another.
struct Surface: Sendable {
  var parts: [Surfels]

  var places: [UInt32] { parts.flatMap(\.places) }
}

/// The surfaces of all classes; beyond the grid there is nothing.
func surfaces(of grid: LabelGrid, _ slots: ClassSlots) -> [Surface] {
  let corners = grid.lattice.corners(isFlat: grid.shape.count == 2)
  let piece = max(1, (1 << 18) / corners.columns)
  let rows = corners.rows * corners.layers
  let parts = parallelMap(count: (rows + piece - 1) / piece) { index in
    SurfelWalk(grid: grid, slots: slots, corners: corners).surfels(
      inRows: index * piece..<min(rows, (index + 1) * piece))
  }
  return slots.classes.indices.map { slot in Surface(parts: parts.map { $0[slot] }) }
}

private struct SurfelWalk {
  let grid: LabelGrid
  let slots: ClassSlots
  let corners: Lattice

  func surfels(inRows rows: Range<Int>) -> [Surfels] {
    var result = [Surfels](repeating: Surfels(), count: slots.count)
    let beyond = [UInt16](repeating: .max, count: grid.shape[0])
    grid.labels.withUnsafeBufferPointer { labels in
      beyond.withUnsafeBufferPointer { beyond in
        for row in rows {
          let four = fourRows(row, labels, beyond)
          append(row, four, &result)
        }
      }
    }
    return result
  }

  private typealias Row = UnsafeBufferPointer<UInt16>

  /// The rows of voxels that meet at a row of corners: y − 1 and y, of z − 1 and of z.
  private func fourRows(
    _ row: Int, _ labels: Row, _ beyond: Row
  ) -> (Row, Row, Row, Row) {
    let (lattice, isFlat) = (grid.lattice, grid.shape.count == 2)
    let (y, z) = (row % corners.rows, row / corners.rows)
    func voxels(_ y: Int, _ z: Int) -> Row {
      guard 0..<lattice.rows ~= y, 0..<lattice.layers ~= z else { return beyond }
      let start = (z * lattice.rows + y) * lattice.columns
      return Row(rebasing: labels[start..<start + lattice.columns])
    }
    let before = isFlat ? z : z - 1
    return (voxels(y - 1, before), voxels(y, before), voxels(y - 1, z), voxels(y, z))
  }

  private func append(_ row: Int, _ rows: (Row, Row, Row, Row), _ result: inout [Surfels]) {
    let (width, beyond) = (grid.shape[0], SIMD4<UInt16>(repeating: .max))
    var left = beyond
    for x in 0...width {
      let right = x < width ? SIMD4(rows.0[x], rows.1[x], rows.2[x], rows.3[x]) : beyond
      defer { left = right }
      if left == right, right == SIMD4(repeating: right[0]) { continue }
      append(UInt32(row * corners.columns + x), left, right, &result)
    }
  }

  /// Adds one piece for each class among the eight voxels of a cell.
  private func append(
    _ place: UInt32, _ left: SIMD4<UInt16>, _ right: SIMD4<UInt16>, _ result: inout [Surfels]
  ) {
    var done: UInt8 = 0
    for voxel in 0..<8 where done >> UInt8(voxel) & 1 == 0 {
      let label = voxel & 1 == 0 ? left[voxel >> 1] : right[voxel >> 1]
      guard let slot = slots[label] else { continue }
      let code = Self.code(of: label, left, right)
      done |= code
      guard code != .max else { continue }
      result[slot].places.append(place)
      result[slot].codes.append(code)
    }
  }

  /// Which voxels have a label, the left ones in the even bits.
  ///
  /// One by one, as a vector's lanes would be asked for by a call each.
  private static func code(
    of label: UInt16, _ left: SIMD4<UInt16>, _ right: SIMD4<UInt16>
  ) -> UInt8 {
    var code: UInt8 = 0
    if left[0] == label { code |= 1 }
    if right[0] == label { code |= 2 }
    if left[1] == label { code |= 4 }
    if right[1] == label { code |= 8 }
    if left[2] == label { code |= 16 }
    if right[2] == label { code |= 32 }
    if left[3] == label { code |= 64 }
    if right[3] == label { code |= 128 }
    return code
  }
}
