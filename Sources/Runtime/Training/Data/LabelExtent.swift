import Augmentation
import Support

/// Where the foreground of a case lies: the smallest box around all labels but 0.
struct LabelExtent: Sendable, Equatable {
  /// Pixels and slices, the last ones included.
  var columns: ClosedRange<Int>
  var rows: ClosedRange<Int>
  var slices: ClosedRange<Int>

  /// Grows by the labels of one slice after the other.
  struct Builder {
    private var columns = Bounds()
    private var rows = Bounds()
    private var slices = Bounds()

    mutating func include(_ labels: [UInt8], slice: Int, width: Int) {
      for row in 0..<labels.count / width {
        let line = labels[row * width..<(row + 1) * width]
        guard let first = line.firstIndex(where: { $0 != 0 }),
          let last = line.lastIndex(where: { $0 != 0 })
        else { continue }
        columns.include(first - line.startIndex)
        columns.include(last - line.startIndex)
        rows.include(row)
        slices.include(slice)
      }
    }

    /// Nil when there is nothing but background.
    var extent: LabelExtent? {
      guard let columns = columns.range, let rows = rows.range, let slices = slices.range else {
        return nil
      }
      return LabelExtent(columns: columns, rows: rows, slices: slices)
    }
  }

  private struct Bounds {
    var range: ClosedRange<Int>?

    mutating func include(_ place: Int) {
      range = range.map { min($0.lowerBound, place)...max($0.upperBound, place) } ?? place...place
    }
  }

  /// The slices that the box reaches when it is made larger by a part of its extent.
  func slices(relaxedBy part: Double, of count: Int) -> ClosedRange<Int> {
    let margin = part * Double(slices.count)
    let lower = max(0, Double(slices.lowerBound) - margin)
    let upper = min(Double(count - 1), Double(slices.upperBound) + margin)
    return Int(lower.rounded())...Int(upper.rounded())
  }

  /// The box on a slice, larger by a part of its extent, each side then moved at random.
  ///
  /// - Parameters:
  ///   - jitter: the most that a side is moved, as a part of the extent.
  ///   - width, height: of the slice, which the box does not leave.
  func box(
    relaxedBy part: Double, jitter: Double, width: Int, height: Int, _ stream: RandomStream
  ) -> AugmentedSample.Box {
    let random = stream.uniform(block: 0)
    func side(_ place: Int, _ direction: Double, _ extent: Int, _ draw: Double, _ end: Int)
      -> Float
    {
      let moved = direction * part + jitter * (2 * draw - 1)
      return Float(min(max(Double(place) + moved * Double(extent), 0), Double(end)))
    }
    return AugmentedSample.Box(
      x0: side(columns.lowerBound, -1, columns.count, random[0], width),
      y0: side(rows.lowerBound, -1, rows.count, random[1], height),
      x1: side(columns.upperBound + 1, 1, columns.count, random[2], width),
      y1: side(rows.upperBound + 1, 1, rows.count, random[3], height))
  }
}
