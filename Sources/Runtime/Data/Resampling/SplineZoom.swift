import Support

/// Brings planes to another size with the numbers that `scipy.ndimage.zoom` gives in its defaults.
///
/// The first and the last sample of either side coincide ("grid_mode" off), splines are cubic and
/// prefiltered with mirrored ends, and a place beyond the last sample by a rounding is zero (mode
/// "constant").
/// Source: SciPy's ndimage/src/ni_interpolation.c and ni_splines.c, described by Unser, "Splines: A
/// Perfect Fit for Signal and Image Processing" (1999).
public struct SplineZoom: Sendable {
  private let height: Int
  private let width: Int
  private let rows: [Tap]
  private let columns: [Tap]

  /// The four coefficients around a place; without weights for a place outside.
  private struct Tap: Sendable {
    var indices: [Int] = [0, 0, 0, 0]
    var weights: [Double] = [0, 0, 0, 0]
  }

  /// - Parameters: of the planes before and after, in pixels.
  public init(height: Int, width: Int, newHeight: Int, newWidth: Int) {
    precondition(height > 0 && width > 0 && newHeight > 0 && newWidth > 0)
    (self.height, self.width) = (height, width)
    rows = Self.taps(height, newHeight)
    columns = Self.taps(width, newWidth)
  }

  /// A plane [height, width] at the new size.
  public func callAsFunction(_ plane: [Double]) -> [Double] {
    precondition(plane.count == height * width)
    if rows.count == height && columns.count == width { return plane }
    let coefficients = filtered(plane)
    var across = [Double](repeating: 0, count: height * columns.count)
    for y in 0..<height {
      for (x, tap) in columns.enumerated() {
        var sum = 0.0
        for k in 0..<4 { sum += tap.weights[k] * coefficients[y * width + tap.indices[k]] }
        across[y * columns.count + x] = sum
      }
    }
    var result = [Double](repeating: 0, count: rows.count * columns.count)
    for (y, tap) in rows.enumerated() {
      for k in 0..<4 {
        let (weight, start) = (tap.weights[k], tap.indices[k] * columns.count)
        for x in 0..<columns.count { result[y * columns.count + x] += weight * across[start + x] }
      }
    }
    return result
  }

  /// Spline coefficients of samples, along both axes.
  private func filtered(_ plane: [Double]) -> [Double] {
    var coefficients = plane
    for x in 0..<width { filter(&coefficients, start: x, step: width, count: height) }
    for y in 0..<height { filter(&coefficients, start: y * width, step: 1, count: width) }
    return coefficients
  }

  /// The recursive filter of cubic splines along one line, its ends mirrored.
  private func filter(_ line: inout [Double], start: Int, step: Int, count: Int) {
    guard count > 1 else { return }
    let pole = 3.0.squareRoot() - 2
    let gain = (1 - pole) * (1 - 1 / pole)
    let place = { (index: Int) in start + index * step }
    for index in 0..<count { line[place(index)] *= gain }
    // Causal, from a sum over the mirrored line.
    var (power, last) = (pole, 1.0)
    for _ in 0..<count - 1 { last *= pole }
    var sum = line[place(0)] + last * line[place(count - 1)]
    for index in stride(from: 1, to: count - 1, by: 1) {
      sum += power * (line[place(index)] + last * line[place(count - 1 - index)])
      power *= pole
    }
    line[place(0)] = sum / (1 - last * last)
    for index in 1..<count { line[place(index)] += pole * line[place(index - 1)] }
    // Anticausal.
    line[place(count - 1)] =
      (pole * line[place(count - 2)] + line[place(count - 1)]) * pole / (pole * pole - 1)
    for index in (0..<count - 1).reversed() {
      line[place(index)] = pole * (line[place(index + 1)] - line[place(index)])
    }
  }

  private static func taps(_ count: Int, _ newCount: Int) -> [Tap] {
    places(count, newCount).map { place in
      guard let place else { return Tap() }
      let start = Int(place.rounded(.down))
      let (y, z) = (place - Double(start), 1 - (place - Double(start)))
      let first = z * z * z / 6
      let second = (y * y * (y - 2) * 3 + 4) / 6
      let third = (z * z * (z - 2) * 3 + 4) / 6
      return Tap(
        indices: (start - 1...start + 2).map { mirrored($0, count) },
        weights: [first, second, third, 1 - first - second - third])
    }
  }

  /// An index of a line that is mirrored at its first and last sample.
  private static func mirrored(_ index: Int, _ count: Int) -> Int {
    guard count > 1 else { return 0 }
    let period = 2 * count - 2
    let rest = (index % period + period) % period
    return rest < count ? rest : period - rest
  }

  /// Where each new sample lies among the old ones; nil beyond the last.
  fileprivate static func places(_ count: Int, _ newCount: Int) -> [Double?] {
    let step = newCount > 1 ? Double(count - 1) / Double(newCount - 1) : 1
    return (0..<newCount).map { index in
      let place = Double(index) * step
      return place > Double(count - 1) ? nil : place
    }
  }
}

/// Brings label planes to another size by the nearest sample, as `scipy.ndimage.zoom` with order 0.
public struct NearestZoom: Sendable {
  private let width: Int
  private let rows: [Int?]
  private let columns: [Int?]

  public init(height: Int, width: Int, newHeight: Int, newWidth: Int) {
    precondition(height > 0 && width > 0 && newHeight > 0 && newWidth > 0)
    self.width = width
    let nearest = { (place: Double?) in place.map { Int(($0 + 0.5).rounded(.down)) } }
    rows = SplineZoom.places(height, newHeight).map(nearest)
    columns = SplineZoom.places(width, newWidth).map(nearest)
  }

  public func callAsFunction(_ plane: [UInt8]) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: rows.count * columns.count)
    for (y, row) in rows.enumerated() {
      guard let row else { continue }
      for (x, column) in columns.enumerated() {
        if let column { result[y * columns.count + x] = plane[row * width + column] }
      }
    }
    return result
  }
}
