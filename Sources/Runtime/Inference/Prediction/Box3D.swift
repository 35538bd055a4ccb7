import Datasets
import Networks

/// A box of voxels in a scan's own grid, both ends included.
public struct Box3D: Sendable, Equatable {
  /// Along x, y and z.
  public var lower: [Double]
  public var upper: [Double]

  public init(lower: [Double], upper: [Double]) {
    precondition(lower.count == 3 && upper.count == 3 && zip(lower, upper).allSatisfy(<=))
    self.lower = lower
    self.upper = upper
  }

  /// The smallest box around all labels but 0; nil when there are none.
  ///
  /// - Throws: what reading the labels throws.
  public init?(around labels: any LabelScan) throws {
    var (lower, upper) = ([Int](repeating: .max, count: 3), [Int](repeating: -1, count: 3))
    for slice in 0..<labels.slices {
      for (place, label) in try labels.plane(slice).enumerated() where label != 0 {
        let voxel = [place % labels.width, place / labels.width, slice]
        for axis in 0..<3 {
          lower[axis] = min(lower[axis], voxel[axis])
          upper[axis] = max(upper[axis], voxel[axis])
        }
      }
    }
    guard upper[0] >= 0 else { return nil }
    self.init(lower: lower.map(Double.init), upper: upper.map(Double.init))
  }

  /// The box with every side moved outward by a part of the box's extent, as far as the scan goes.
  public func relaxed(by part: Double, in scan: any Scan) -> Box3D {
    let extents = [scan.width, scan.height, scan.slices]
    var result = self
    for axis in 0..<3 {
      let margin = part * (upper[axis] - lower[axis] + 1)
      // A side that lies outside already stays there, to be refused.
      result.lower[axis] = min(lower[axis], max(0, lower[axis] - margin))
      result.upper[axis] = max(
        upper[axis], min(Double(extents[axis] - 1), upper[axis] + margin))
    }
    return result
  }

  /// Whether all of the box lies within a scan.
  func fits(_ scan: any Scan) -> Bool {
    zip([scan.width, scan.height, scan.slices], zip(lower, upper)).allSatisfy {
      $1.0 >= 0 && $1.1 <= Double($0 - 1)
    }
  }

  /// The slices that the box reaches.
  var slices: ClosedRange<Int> { Int(lower[2].rounded())...Int(upper[2].rounded()) }

  /// The box on a slice, in pixels of a model's input.
  func prompt(in scan: any Scan, _ orientation: Orientation, size: Int) -> Prompts.Box {
    let across = Self.turned(lower[0], upper[0], scan.width, orientation)
    let down = Self.turned(lower[1], upper[1], scan.height, orientation)
    let scale = { (place: Double, count: Int) in
      Float(count > 1 ? place * Double(size - 1) / Double(count - 1) : Double(size - 1) / 2)
    }
    return Prompts.Box(
      left: scale(across.0, scan.width), top: scale(down.0, scan.height),
      right: scale(across.1, scan.width), bottom: scale(down.1, scan.height))
  }

  private static func turned(
    _ lower: Double, _ upper: Double, _ count: Int, _ orientation: Orientation
  ) -> (Double, Double) {
    orientation == .image ? (lower, upper) : (Double(count - 1) - upper, Double(count - 1) - lower)
  }
}
