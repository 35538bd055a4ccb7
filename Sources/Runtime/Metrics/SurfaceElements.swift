/// How much surface each of the 256 cells of two by two by two voxels holds.
///
/// The surface of a cell runs through the middles of the edges between voxels that are inside and
/// voxels that are not, as in marching cubes. On a face whose inside voxels lie across from each
/// other, the rarer kind of voxel in the cell is cut off. A loop of more than three points is filled
/// by the fan of triangles that is largest on the unit cube; those that are as large there are as
/// large at every spacing.
/// Source: Lorensen and Cline, "Marching cubes" (1987). The areas equal those of DeepMind's
/// `surface-distance`, `create_table_neighbour_code_to_surface_area`.
enum SurfaceElements {
  /// The areas for bits dx + 2·dy + 4·dz, in the square of the spacing's unit.
  static func areas(spacing: (x: Double, y: Double, z: Double)) -> [Double] {
    let spacing = SIMD3(spacing.x, spacing.y, spacing.z)
    return triangles.map { cell in
      cell.reduce(0) { $0 + $1.area(spacing: spacing) }
    }
  }

  /// The lengths of the contours of four pixels, bits dx + 2·dy, each in both halves of a code.
  static func lengths(spacing: (x: Double, y: Double)) -> [Double] {
    let slanted = (spacing.x * spacing.x + spacing.y * spacing.y).squareRoot() / 2
    let four = (0..<16).map { code -> Double in
      switch (code.nonzeroBitCount, code) {
      case (1, _), (3, _): slanted
      case (2, 0b0011), (2, 0b1100): spacing.x
      case (2, 0b0101), (2, 0b1010): spacing.y
      case (2, _): 2 * slanted
      default: 0
      }
    }
    return (0..<256).map { $0 >> 4 == $0 & 15 ? four[$0 & 15] : 0 }
  }

  struct Triangle {
    var a, b, c: SIMD3<Double>

    func area(spacing: SIMD3<Double>) -> Double {
      let (u, v) = ((b - a) * spacing, (c - a) * spacing)
      let normal = SIMD3(
        u.y * v.z - u.z * v.y, u.z * v.x - u.x * v.z, u.x * v.y - u.y * v.x)
      return (normal * normal).sum().squareRoot() / 2
    }
  }

  private static let triangles = (0..<256).map { code in
    loops(code.nonzeroBitCount > 4 ? 255 - code : code).flatMap(largestFan)
  }

  private static func largestFan(_ loop: [SIMD3<Double>]) -> [Triangle] {
    let fans = loop.indices.map { apex in
      (1..<loop.count - 1).map { step in
        Triangle(
          a: loop[apex], b: loop[(apex + step) % loop.count],
          c: loop[(apex + step + 1) % loop.count])
      }
    }
    func area(_ fan: [Triangle]) -> Double {
      fan.reduce(0) { $0 + $1.area(spacing: SIMD3(repeating: 1)) }
    }
    return fans.max { area($0) < area($1) } ?? []
  }

  /// The closed lines in which the surface cuts the faces of a cell, as points on its edges.
  private static func loops(_ code: Int) -> [[SIMD3<Double>]] {
    var lines = (0..<3).flatMap { axis in [0, 1].flatMap { cuts(code, axis: axis, side: $0) } }
    var loops: [[SIMD3<Double>]] = []
    while let line = lines.popLast() {
      var loop = [line.0, line.1]
      while let next = lines.firstIndex(where: { $0.0 == loop.last || $0.1 == loop.last }) {
        let line = lines.remove(at: next)
        loop.append(line.0 == loop.last ? line.1 : line.0)
      }
      loops.append(loop.dropLast())
    }
    return loops
  }

  /// The lines on one face, which cut off the voxels that are inside.
  private static func cuts(
    _ code: Int, axis: Int, side: Int
  ) -> [(SIMD3<Double>, SIMD3<Double>)] {
    let around = [(0, 0), (1, 0), (1, 1), (0, 1)].map { corner -> SIMD3<Int> in
      var place = SIMD3<Int>()
      place[axis] = side
      (place[(axis + 1) % 3], place[(axis + 2) % 3]) = corner
      return place
    }
    let isInside = around.map { code >> ($0.x + 2 * $0.y + 4 * $0.z) & 1 == 1 }
    func middle(_ index: Int) -> SIMD3<Double> {
      (SIMD3<Double>(around[index % 4]) + SIMD3<Double>(around[(index + 1) % 4])) / 2
    }
    // The points where the border of the face goes in and where it goes out again.
    let entries = (0..<4).filter { !isInside[$0] && isInside[($0 + 1) % 4] }
    return entries.map { entry in
      let exit = (entry + 1..<entry + 4).first { isInside[$0 % 4] && !isInside[($0 + 1) % 4] }
      return (middle(entry), middle(exit ?? entry))
    }
  }
}
