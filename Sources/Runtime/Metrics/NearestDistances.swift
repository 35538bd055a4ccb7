/// The exact distances from some points of a lattice to the nearest of others.
///
/// A Euclidean distance transform in three passes, each linear, that works out only what is asked
/// for: rows and layers without a target cost nothing, nor do columns without a question.
/// Source: Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions" (2012).
struct NearestDistances: Sendable {
  private struct Row {
    var y: Int
    var targets: Range<Int>
  }

  private struct Layer {
    var z: Int
    var rows: Range<Int>
  }

  private let lattice: Lattice
  private let targets: [UInt32]
  /// The columns of the targets, row by row.
  private var columns: [Int32] = []
  private var rows: [Row] = []
  private var layers: [Layer] = []

  /// - Parameter targets: places in the lattice, ascending.
  init(to targets: [UInt32], on lattice: Lattice) {
    self.lattice = lattice
    self.targets = targets
    columns.reserveCapacity(targets.count)
    var current = -1
    for target in targets {
      let (row, column) = Int(target).quotientAndRemainder(dividingBy: lattice.columns)
      if row != current { begin(row: row) }
      current = row
      columns.append(Int32(column))
      rows[rows.count - 1].targets = rows[rows.count - 1].targets.lowerBound..<columns.count
    }
  }

  private mutating func begin(row: Int) {
    let (z, y) = row.quotientAndRemainder(dividingBy: lattice.rows)
    if layers.last?.z != z { layers.append(Layer(z: z, rows: rows.count..<rows.count)) }
    rows.append(Row(y: y, targets: columns.count..<columns.count))
    layers[layers.count - 1].rows = layers[layers.count - 1].rows.lowerBound..<rows.count
  }

  /// The distance of each point, infinite without any target.
  ///
  /// - Parameter points: places in the lattice, ascending.
  func callAsFunction(from points: [UInt32]) -> [Double] {
    guard !layers.isEmpty else { return points.map { _ in .infinity } }
    return around(points) ?? transformed(points)
  }

  /// The distances by looking around every point, nil where the transform is less work.
  func around(_ points: [UInt32]) -> [Double]? {
    guard points.count >= Self.sample, NearbyTargets.areDense(targets.count, on: lattice),
      let nearby = NearbyTargets(
        [targets], on: lattice, within: NearbyTargets.radius(on: lattice))
    else { return nil }
    let looks = stride(from: 0, to: points.count, by: points.count / Self.sample).map {
      nearby.search(from: points[$0])
    }
    let misses = looks.count { $0.distance == nil }
    let mean = looks.reduce(0) { $0 + $1.looks } / looks.count
    // What a transform visits at least.
    let cells = rows.count * lattice.columns
    guard misses * 64 <= looks.count, mean * points.count <= Self.looksPerCell * cells else {
      return nil
    }
    return distances(points, nearby)
  }

  private static let sample = 256
  /// A look at one place takes about a thirtieth of what a transform spends on a point.
  private static let looksPerCell = 16

  private func distances(_ points: [UInt32], _ nearby: NearbyTargets) -> [Double] {
    let piece = 1 << 14
    let parts = parallelMap(count: (points.count + piece - 1) / piece) { part in
      points[part * piece..<min(points.count, (part + 1) * piece)].map {
        nearby.search(from: $0).distance ?? .nan
      }
    }
    var result: [Double] = []
    result.reserveCapacity(points.count)
    for part in parts { result += part }
    // The few that have nothing around them.
    let rest = result.indices.filter { result[$0].isNaN }
    for (place, distance) in zip(rest, transformed(rest.map { points[$0] })) {
      result[place] = distance
    }
    return result
  }

  /// The distances by the transform.
  func transformed(_ points: [UInt32]) -> [Double] {
    guard !points.isEmpty else { return [] }
    let questions = Questions(points, on: lattice)
    let width = 16
    let slabs = parallelMap(count: (lattice.columns + width - 1) / width) { slab in
      distances(questions, slab * width..<min(lattice.columns, (slab + 1) * width))
    }
    var result = [Double](repeating: 0, count: points.count)
    var next = 0
    for slab in slabs {
      for distance in slab {
        result[Int(questions.order[next])] = distance
        next += 1
      }
    }
    return result
  }

  /// The answers for some values of x, in the order of the questions.
  private func distances(_ questions: Questions, _ slab: Range<Int>) -> [Double] {
    let lines = slab.flatMap { x in
      (0..<lattice.rows).compactMap { questions.line(x, $0, lattice) }
    }
    let heights = heights(lines, slab)
    var envelope = LowerEnvelope(spacing: lattice.spacing.z, capacity: layers.count)
    var result: [Double] = []
    for (index, line) in lines.enumerated() {
      envelope.removeAll()
      for (place, layer) in layers.enumerated() {
        envelope.add(centre: layer.z, height: heights[place * lines.count + index])
      }
      for question in line.questions {
        result.append(envelope.value(at: Int(questions.layers[question])).squareRoot())
      }
    }
    return result
  }

  /// The squared distance within each layer, for each line of questions: [layers, lines].
  private func heights(_ lines: [Questions.Line], _ slab: Range<Int>) -> [Double] {
    var result: [Double] = []
    guard !lines.isEmpty else { return result }
    result.reserveCapacity(layers.count * lines.count)
    var distances: [Double] = []
    var envelope = LowerEnvelope(spacing: lattice.spacing.y, capacity: lattice.rows)
    for layer in layers {
      let rows = rows[layer.rows]
      distances.removeAll(keepingCapacity: true)
      for row in rows { appendDistances(row, slab, to: &distances) }
      var x = -1
      for line in lines {
        if line.x != x {
          x = line.x
          envelope.removeAll()
          for (index, row) in rows.enumerated() {
            envelope.add(
              centre: row.y, height: distances[index * slab.count + x - slab.lowerBound])
          }
        }
        result.append(envelope.value(at: line.y))
      }
    }
    return result
  }

  /// Appends the squared distance within a row, for each x of the slab.
  private func appendDistances(_ row: Row, _ slab: Range<Int>, to distances: inout [Double]) {
    var next = firstTarget(in: row.targets, from: slab.lowerBound)
    for x in slab {
      while next < row.targets.upperBound, Int(columns[next]) < x { next += 1 }
      var steps = Int.max
      if next < row.targets.upperBound { steps = Int(columns[next]) - x }
      if next > row.targets.lowerBound { steps = min(steps, x - Int(columns[next - 1])) }
      let distance = Double(steps) * lattice.spacing.x
      distances.append(distance * distance)
    }
  }

  /// By bisection, as a row may hold many and be asked for often.
  private func firstTarget(in targets: Range<Int>, from x: Int) -> Int {
    var (low, high) = (targets.lowerBound, targets.upperBound)
    while low < high {
      let middle = (low + high) / 2
      if Int(columns[middle]) < x { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
