import Formats

/// A weight with low-rank updates added to some of its rows, one row after another.
struct UpdatedWeight: Sendable {
  /// An update of a range of rows.
  struct Part: Sendable {
    /// What measurements are filed under, such as `q`.
    var label: String
    var rows: Range<Int>
    var source: FactorSource
  }

  var weight: Blueprint.Entry
  var parts: [Part]
  /// 1 to add, −1 to take away.
  var sign: Double
  var measurements: MergeMeasurements

  func entry(_ verb: String, verifies: Bool = true) throws -> Blueprint.Entry {
    _ = try FloatCoder(checking: weight.info)
    var inputs = [weight]
    for input in parts.flatMap(\.source.inputs)
    where !inputs.contains(where: { $0.info.name == input.info.name }) {
      inputs.append(input)
    }
    return Blueprint.Entry(
      info: weight.info,
      origin: .computed(Computation(verb, of: inputs) { try reader(for: $0, verifies) }))
  }

  private func reader(for info: TensorInfo, _ verifies: Bool) throws -> any TensorReader {
    let columns = info.shape.dropFirst().reduce(1, *)
    var rows = try parts.map { part in
      RowUpdate(
        part, try part.source.update(), sign, info.dtype,
        probe: verifies ? try part.source.probe(columns) : nil)
    }
    let source = try NumberSource(weight)
    let piece = max(1, NumberReader.defaultPiece / max(1, columns)) * columns
    return NumberReader(info, piece: piece) { range, numbers in
      try source.read(into: numbers)
      for start in stride(from: 0, to: numbers.count, by: columns) {
        let row = (range.lowerBound + start) / columns
        let target = UnsafeMutableBufferPointer(rebasing: numbers[start..<start + columns])
        if let place = rows.firstIndex(where: { $0.rows.contains(row) }) {
          try rows[place].add(to: target, row: row, of: info.name)
        }
      }
      try checkFinite(numbers, info, from: range.lowerBound)
      if range.upperBound == info.elementCount {
        measurements.record(rows.map(\.measurement), of: info.name)
      }
    }
  }
}

/// Adds one update to rows and measures it.
private struct RowUpdate {
  let rows: Range<Int>
  var measurement: MergeMeasurements.Measurement
  private let update: LowRankUpdate
  private let sign: Double
  /// For types that lose much of an update, what rounds like them.
  private let rounding: FloatCoder?
  private var delta: [Double]
  private let probe: FactorSource.Probe?

  init(
    _ part: UpdatedWeight.Part, _ update: LowRankUpdate, _ sign: Double, _ dtype: DType,
    probe: FactorSource.Probe?
  ) {
    self.probe = probe
    rows = part.rows
    measurement = MergeMeasurements.Measurement(label: part.label)
    self.update = update
    self.sign = sign
    rounding = dtype.bitWidth == 16 ? FloatCoder(dtype) : nil
    delta = [Double](repeating: 0, count: update.right.columns)
  }

  mutating func add(
    to target: UnsafeMutableBufferPointer<Double>, row: Int, of name: TensorName
  ) throws {
    let width = update.left.columns
    let first = (row - rows.lowerBound) * width
    let coefficients = update.left.values[first..<first + width]
    try delta.withUnsafeMutableBufferPointer { delta in
      delta.update(repeating: 0)
      update.right.addProduct(of: coefficients, to: delta)
      try probe?.check(delta, coefficients, row: row, of: name)
      measurement.add(delta, weights: target)
      for column in 0..<target.count { target[column] += sign * delta[column] }
    }
    if let rounding { measurement.add(lostBy: rounding, target) }
  }
}

/// - Throws: `SurgeryError` with code `notFinite` or `overflow`.
func checkFinite(
  _ numbers: UnsafeMutableBufferPointer<Double>, _ info: TensorInfo, from first: Int
) throws {
  let limit = FloatCoder.roundingLimit(info.dtype)
  var isGood = true
  for number in numbers { isGood = isGood && number.magnitude < limit }
  guard !isGood, let place = numbers.firstIndex(where: { !($0.magnitude < limit) }) else { return }
  let isFinite = numbers[place].isFinite
  throw SurgeryError(
    isFinite ? .overflow : .notFinite, subject: info.name.text,
    expected: isFinite
      ? "at most \(FloatCoder.largest(info.dtype)), the largest \(info.dtype.rawValue)"
      : "finite numbers",
    found: "\(numbers[place]) at element \(first + place)")
}
