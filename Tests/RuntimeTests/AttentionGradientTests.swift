import Testing

@testable import Numerics

/// Attention that is too large for one tile of keys, and of more heads than a thread takes at once.
struct AttentionGradientTests {
  private static let headWidth = 4

  @Test(arguments: [(33, nil, 1), (7, 5, 5)] as [(Int, Int?, Int)])
  func `gradients over several tiles and groups of heads are finite differences`(
    _ grid: Int, _ window: Int?, _ heads: Int
  ) throws {
    let (side, width) = (window ?? grid, heads * Self.headWidth)
    let values = [
      tensor(1, grid, grid, 3 * width), tensor(2 * side - 1, Self.headWidth, seed: 2),
      tensor(2 * side - 1, Self.headWidth, seed: 3),
    ]
    let bias = tensor(3 * width, seed: 4)
    let attention = RecordedOperation(name: "attention", inputs: []) { inputs in
      let table = RelativePositions.table(vertical: inputs[1], horizontal: inputs[2])
      let attention = GridAttention(
        heads: heads, headWidth: Self.headWidth, grid: grid, window: window,
        positions: RelativePositions(table: table.value))
      return attention(inputs[0], bias: Variable(bias), table: table)
    }
    let upstream = tensor(1, grid, grid, width, seed: 5)
    let (_, gradients) = try attention.differentiated(values, upstream)
    for index in values.indices {
      for place in places(values[index]) {
        expectSlope(attention, values, index, place, gradients[index], upstream)
      }
    }
  }

  /// A head's numbers of the first, a middle and the last row: along all at once a wrong part would vanish
  /// among the others.
  private func places(_ tensor: Tensor) -> [Range<Int>] {
    let columns = tensor.shape[tensor.shape.count - 1]
    let rows = tensor.count / columns
    return [0, rows / 2, rows - 1].flatMap { row in
      stride(from: row * columns, to: (row + 1) * columns, by: Self.headWidth).map {
        $0..<$0 + Self.headWidth
      }
    }
  }

  private func expectSlope(
    _ operation: RecordedOperation, _ values: [Tensor], _ index: Int, _ place: Range<Int>,
    _ gradient: Tensor, _ upstream: Tensor
  ) {
    let (step, weights) = (Float(1e-2), upstream.values)
    let ends = [step, -step].map { step -> Double in
      var moved = values.map { Variable($0) }
      let changed = values[index].copied()
      for number in place { changed.pointer[number] += number.isMultiple(of: 2) ? step : -step }
      moved[index] = Variable(changed)
      return zip(operation.run(moved).value.values, weights).reduce(0) {
        $0 + Double($1.0) * Double($1.1)
      }
    }
    let parts = place.map { Double(gradient.values[$0]) * ($0.isMultiple(of: 2) ? 1 : -1) }
    let found = (ends[0] - ends[1]) / Double(2 * step)
    let size = parts.reduce(0) { $0 + abs($1) }
    // Beside what the parts add up to, as they may cancel: the roundings of all numbers that are summed.
    #expect(
      abs(found - parts.reduce(0, +)) <= 1e-2 * size + 1e-3,
      "\(index), \(place): \(found), \(parts)")
  }
}
