/// The points that distances are asked for, line by line along the third axis.
struct Questions: Sendable {
  /// The questions of one x and one y.
  struct Line {
    var x, y: Int
    var questions: Range<Int>
  }

  /// For every question its place among the points as they were given.
  let order: [UInt32]
  /// For every question its z, ascending in each line.
  let layers: [Int32]
  /// Where the questions of (x, y) begin: at y + rows·x.
  private let starts: [Int]

  /// - Parameter points: places in the lattice, ascending.
  init(_ points: [UInt32], on lattice: Lattice) {
    func line(_ point: UInt32) -> (index: Int, z: Int) {
      let (row, x) = Int(point).quotientAndRemainder(dividingBy: lattice.columns)
      let (z, y) = row.quotientAndRemainder(dividingBy: lattice.rows)
      return (y + lattice.rows * x, z)
    }
    var starts = [Int](repeating: 0, count: lattice.columns * lattice.rows + 1)
    for point in points { starts[line(point).index + 1] += 1 }
    for index in 1..<starts.count { starts[index] += starts[index - 1] }
    self.starts = starts
    var order = [UInt32](repeating: 0, count: points.count)
    var layers = [Int32](repeating: 0, count: points.count)
    for (place, point) in points.enumerated() {
      let (index, z) = line(point)
      (order[starts[index]], layers[starts[index]]) = (UInt32(place), Int32(z))
      starts[index] += 1
    }
    (self.order, self.layers) = (order, layers)
  }

  /// The questions of one x and one y, nil if there are none.
  func line(_ x: Int, _ y: Int, _ lattice: Lattice) -> Line? {
    let index = y + lattice.rows * x
    let questions = starts[index]..<starts[index + 1]
    return questions.isEmpty ? nil : Line(x: x, y: y, questions: questions)
  }
}
