import CKernels
import Formats
import Support
import Synchronization

/// What a merge did to each weight; filled in while the plan is written.
public final class MergeMeasurements: Sendable {
  /// One update of one weight.
  public struct Measurement: Sendable, Equatable {
    /// Which rows: `q` or `v`, or `all`.
    public var label: String
    /// ‖ΔW‖ and ‖W‖ of those rows before the update, both Frobenius norms.
    public var updateNorm: Double { updateSquares.squareRoot() }
    public var weightNorm: Double { weightSquares.squareRoot() }
    /// The largest entry of ΔW by magnitude.
    public var largest = 0.0
    /// The share of ‖ΔW‖ that rounding to 16 bits lost; nil for wider types.
    public var lostShare: Double? {
      lostSquares.map { updateSquares > 0 ? ($0 / updateSquares).squareRoot() : 0 }
    }

    var updateSquares = 0.0
    var weightSquares = 0.0
    var lostSquares: Double?

    init(label: String) { self.label = label }

    public var relativeNorm: Double {
      weightSquares > 0 ? (updateSquares / weightSquares).squareRoot() : .nan
    }
  }

  private let state = Mutex<[TensorName: [Measurement]]>([:])

  public init() {}

  /// Weights and their updates, in the order of their names' bytes.
  public var all: [(name: TensorName, updates: [Measurement])] {
    state.withLock { $0.sorted { $0.key < $1.key } }.map { ($0.key, $0.value) }
  }

  /// Whether a weight has been measured; a plan is read twice, to write it and to compare.
  func contains(_ name: TensorName) -> Bool { state.withLock { $0[name] != nil } }

  func record(_ measurements: [Measurement], of name: TensorName) {
    state.withLock { $0[name] = measurements }
  }

  public var json: JSON {
    .array(
      all.flatMap { weight in
        weight.updates.map { update in
          JSON.object([
            ("name", .string(weight.name.text)), ("rows", .string(update.label)),
            ("update_norm", .double(update.updateNorm)),
            ("weight_norm", .double(update.weightNorm)),
            ("relative_norm", .double(update.relativeNorm)), ("largest", .double(update.largest)),
            ("lost_share", update.lostShare.map(JSON.double) ?? .null),
          ])
        }
      })
  }
}

extension MergeMeasurements.Measurement {
  /// Adds factor times an update to weights, and measures both as they were.
  mutating func add(
    _ update: UnsafeMutableBufferPointer<Double>, times factor: Double,
    to weights: UnsafeMutableBufferPointer<Double>
  ) {
    precondition(update.count == weights.count)
    guard let delta = update.baseAddress, let target = weights.baseAddress else { return }
    var sums = wt_update_sums(updates: updateSquares, weights: weightSquares, largest: largest)
    wt_add_update(target, delta, update.count, factor, &sums)
    (updateSquares, weightSquares, largest) = (sums.updates, sums.weights, sums.largest)
  }

  /// Adds what is lost when these numbers are rounded.
  mutating func add(lostBy coder: FloatCoder, _ numbers: UnsafeMutableBufferPointer<Double>) {
    let squares = withUnsafeTemporaryAllocation(
      byteCount: numbers.count * coder.width, alignment: 16
    ) { bytes in
      withUnsafeTemporaryAllocation(of: Double.self, capacity: numbers.count) { rounded in
        coder.encode(UnsafeBufferPointer(numbers), into: bytes)
        coder.decode(UnsafeRawBufferPointer(bytes), into: rounded)
        return numbers.indices.reduce(0.0) { sum, index in
          let error = numbers[index] - rounded[index]
          return sum + error * error
        }
      }
    }
    lostSquares = (lostSquares ?? 0) + squares
  }
}
