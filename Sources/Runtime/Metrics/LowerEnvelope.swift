/// The lowest of many parabolas of one width at every point of a line.
///
/// Adding them from left to right and asking from left to right takes linear time.
/// Source: Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions" (2012).
struct LowerEnvelope {
  private struct Parabola {
    var centre: Double
    var height: Double
    /// From where on it is the lowest.
    var start: Double
  }

  private let spacing: Double
  /// How many squares of a step an area of one holds.
  private let squaresPerArea: Double
  /// The first `count` are in use; the room of the others is kept.
  private var parabolas: [Parabola]
  private var count = 0
  private var current = 0

  /// - Parameters:
  ///   - spacing: the length of a step of the line.
  ///   - capacity: the most parabolas that will be added at once.
  init(spacing: Double, capacity: Int) {
    self.spacing = spacing
    squaresPerArea = 1 / (spacing * spacing)
    parabolas = [Parabola](
      repeating: Parabola(centre: 0, height: 0, start: 0), count: max(1, capacity))
  }

  mutating func removeAll() { (count, current) = (0, 0) }

  /// Adds a parabola to the right of all others.
  mutating func add(centre: Int, height: Double) {
    var new = Parabola(
      centre: Double(centre), height: height, start: -.infinity)
    while count > 0 {
      let last = parabolas[count - 1]
      let rise = (new.height - last.height) * squaresPerArea
      // Right of here the new one is lower.
      let crossing =
        (rise / (new.centre - last.centre) + new.centre + last.centre) / 2
      if crossing > last.start {
        new.start = crossing
        break
      }
      count -= 1
    }
    parabolas[count] = new
    count += 1
  }

  /// The lowest value at a point, which must not lie left of the one before.
  mutating func value(at point: Int) -> Double {
    let point = Double(point)
    while current + 1 < count, parabolas[current + 1].start < point { current += 1 }
    let lowest = parabolas[current]
    let steps = point - lowest.centre
    return lowest.height + (steps * spacing) * (steps * spacing)
  }
}
