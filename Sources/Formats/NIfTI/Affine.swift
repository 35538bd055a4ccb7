/// Where voxels lie: a 4×4 matrix from voxel indices (i, j, k, 1) to millimetres (x, y, z, 1).
public struct Affine: Sendable, Equatable {
  /// The first three rows, four numbers each; the fourth row is always 0 0 0 1.
  public var rows: [[Double]]

  public static let identity = Affine(diagonal: [1, 1, 1])

  /// - Parameter rows: three rows of four numbers.
  public init(rows: [[Double]]) {
    precondition(rows.count == 3 && rows.allSatisfy { $0.count == 4 })
    self.rows = rows
  }

  public init(diagonal: [Double]) {
    precondition(diagonal.count == 3)
    rows = (0..<3).map { row in (0..<4).map { $0 == row ? diagonal[row] : 0 } }
  }

  public subscript(_ row: Int, _ column: Int) -> Double { rows[row][column] }

  public var isFinite: Bool { rows.allSatisfy { $0.allSatisfy(\.isFinite) } }

  /// The lengths of the steps from a voxel to the next one along each axis.
  public var steps: [Double] {
    (0..<3).map { column in
      rows.reduce(0) { $0 + $1[column] * $1[column] }.squareRoot()
    }
  }

  /// The place of a voxel.
  public func place(of voxel: [Double]) -> [Double] {
    rows.map { $0[0] * voxel[0] + $0[1] * voxel[1] + $0[2] * voxel[2] + $0[3] }
  }

  /// The largest distance between the places that two matrices give to the corners of a volume.
  public func distance(to other: Affine, over shape: [Int]) -> Double {
    (0..<8).map { corner in
      let voxel = (0..<3).map { Double(corner >> $0 & 1) * Double(shape[$0] - 1) }
      let difference = zip(place(of: voxel), other.place(of: voxel)).map { $0 - $1 }
      return difference.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }.max() ?? 0
  }
}
