import CKernels
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
    let isFirst = !measurements.contains(info.name)
    var rows = try parts.map { part in
      RowUpdate(
        part, try part.source.update(), sign, info.dtype,
        probe: verifies && isFirst ? try part.source.probe(columns) : nil)
    }
    let source = try NumberSource(weight)
    let rowsAtOnce = max(1, NumberReader.defaultPiece / max(1, columns) / 4) * 4
    let piece = rowsAtOnce * columns
    return NumberReader(info, piece: piece) { range, numbers in
      try source.read(into: numbers)
      let piece = range.lowerBound / columns..<range.upperBound / columns
      for place in rows.indices {
        try rows[place].add(to: numbers, rows: piece, of: info.name)
      }
      try checkFinite(numbers, info, from: range.lowerBound)
      if isFirst, range.upperBound == info.elementCount {
        measurements.record(rows.map(\.measurement), of: info.name)
      }
    }
  }
}

/// Adds one update to rows and measures it.
private struct RowUpdate {
  private let rows: Range<Int>
  var measurement: MergeMeasurements.Measurement
  private let update: LowRankUpdate
  private let sign: Double
  /// For types that lose much of an update, what rounds like them.
  private let rounding: FloatCoder?
  private let probe: FactorSource.Probe?
  private var delta: [Double] = []

  init(
    _ part: UpdatedWeight.Part, _ update: LowRankUpdate, _ sign: Double, _ dtype: DType,
    probe: FactorSource.Probe?
  ) {
    rows = part.rows
    measurement = MergeMeasurements.Measurement(label: part.label)
    self.update = update
    self.sign = sign
    self.probe = probe
    rounding = dtype.bitWidth == 16 ? FloatCoder(dtype) : nil
  }

  /// Adds what belongs to a piece of the weight.
  ///
  /// - Parameters:
  ///   - numbers: the piece.
  ///   - piece: which of the weight's rows it is.
  mutating func add(
    to numbers: UnsafeMutableBufferPointer<Double>, rows piece: Range<Int>, of name: TensorName
  ) throws {
    let common = rows.clamped(to: piece)
    guard !common.isEmpty else { return }
    let columns = update.right.columns
    let start = (common.lowerBound - piece.lowerBound) * columns
    let target = UnsafeMutableBufferPointer(
      rebasing: numbers[start..<start + common.count * columns])
    let own = common.lowerBound - rows.lowerBound..<common.upperBound - rows.lowerBound
    if delta.count != target.count { delta = [Double](repeating: 0, count: target.count) }
    try delta.withUnsafeMutableBufferPointer { delta in
      delta.update(repeating: 0)
      update.right.addProduct(of: update.left, rows: own, to: delta)
      try probe?.check(delta, of: update.left, rows: own, of: name)
      measurement.add(delta, times: sign, to: target)
    }
    if let rounding { measurement.add(lostBy: rounding, target) }
  }
}

/// - Throws: `SurgeryError` with code `notFinite` or `overflow`.
func checkFinite(
  _ numbers: UnsafeMutableBufferPointer<Double>, _ info: TensorInfo, from start: Int
) throws {
  let limit = FloatCoder.roundingLimit(info.dtype)
  guard let first = numbers.baseAddress, wt_are_below(first, numbers.count, limit) == 0,
    // NaN compares as false, so it counts as beyond the limit.
    let place = numbers.firstIndex(where: { !($0.magnitude < limit) })
  else { return }
  let isFinite = numbers[place].isFinite
  throw SurgeryError(
    isFinite ? .overflow : .notFinite, subject: info.name.text,
    expected: isFinite
      ? "at most \(FloatCoder.largest(info.dtype)), the largest \(info.dtype.rawValue)"
      : "finite numbers",
    found: "\(numbers[place]) at element \(start + place)")
}
