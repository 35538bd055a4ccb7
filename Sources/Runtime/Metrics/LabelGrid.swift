/// A label for every point of a picture or a volume, and how far the points are apart.
public struct LabelGrid: Sendable, Equatable {
  /// The last number stands for what lies beyond the grid and is no label.
  public static let highestLabel = UInt16.max - 1

  /// The first axis varies fastest; 0 is background.
  public let labels: [UInt16]
  /// Two extents or three.
  public let shape: [Int]
  /// In millimetres, one for each axis.
  public let spacing: [Double]

  /// The number of points that positions of 32 bits can tell apart, with one to spare on each side.
  public static func canHold(shape: [Int]) -> Bool {
    var product: UInt64 = 1
    for extent in shape {
      let (next, overflow) = product.multipliedReportingOverflow(by: UInt64(extent) + 1)
      guard !overflow, next <= UInt64(UInt32.max) else { return false }
      product = next
    }
    return true
  }

  /// - Parameter shape: one that `canHold` accepts.
  public init(labels: [UInt16], shape: [Int], spacing: [Double]) {
    precondition((2...3).contains(shape.count) && spacing.count == shape.count)
    precondition(shape.allSatisfy { $0 > 0 } && spacing.allSatisfy { $0 > 0 && $0.isFinite })
    precondition(Self.canHold(shape: shape) && labels.count == shape.reduce(1, *))
    self.labels = labels
    self.shape = shape
    self.spacing = spacing
  }

  /// The length of the longest way through the grid, in millimetres.
  public var diagonal: Double {
    zip(shape, spacing).reduce(0) { $0 + Double($1.0) * $1.1 * Double($1.0) * $1.1 }.squareRoot()
  }

  var lattice: Lattice { Lattice(shape: shape, spacing: spacing) }
}

/// Where points lie, always in three dimensions: a picture is one layer.
struct Lattice: Sendable, Equatable {
  var columns, rows, layers: Int
  var spacing: (x: Double, y: Double, z: Double)

  init(shape: [Int], spacing: [Double]) {
    (columns, rows, layers) = (shape[0], shape[1], shape.count > 2 ? shape[2] : 1)
    self.spacing = (spacing[0], spacing[1], spacing.count > 2 ? spacing[2] : 1)
  }

  static func == (left: Lattice, right: Lattice) -> Bool {
    (left.columns, left.rows, left.layers) == (right.columns, right.rows, right.layers)
      && left.spacing == right.spacing
  }

  /// The corners around the points: one more on each axis that the grid has.
  func corners(isFlat: Bool) -> Lattice {
    var result = self
    result.columns += 1
    result.rows += 1
    if !isFlat { result.layers += 1 }
    return result
  }
}
