import Formats
import Support
import Synchronization

/// What rounding did to each tensor of a cast; filled in while the plan is written.
public final class RoundingReport: Sendable {
  public struct Rounding: Sendable, Equatable {
    public var count = 0
    /// Numbers that are no longer what they were.
    public var changed = 0
    /// Numbers that became zero though they were not.
    public var vanished = 0
    public var largestError = 0.0
    /// The largest error relative to its number, of numbers that did not vanish.
    public var largestRelativeError = 0.0
  }

  private let state = Mutex<[TensorName: Rounding]>([:])

  public init() {}

  /// In the order of the names' bytes.
  public var all: [(name: TensorName, rounding: Rounding)] {
    state.withLock { $0.sorted { $0.key < $1.key } }.map { ($0.key, $0.value) }
  }

  /// Of all tensors together.
  public var total: Rounding {
    all.reduce(into: Rounding()) { total, tensor in
      let rounding = tensor.rounding
      total.count += rounding.count
      total.changed += rounding.changed
      total.vanished += rounding.vanished
      total.largestError = max(total.largestError, rounding.largestError)
      total.largestRelativeError = max(total.largestRelativeError, rounding.largestRelativeError)
    }
  }

  func record(_ rounding: Rounding, of name: TensorName) {
    state.withLock { $0[name] = rounding }
  }
}

extension RoundingReport.Rounding {
  public var json: JSON {
    .object([
      ("elements", .int(count)), ("changed", .int(changed)), ("vanished", .int(vanished)),
      ("max_abs", .double(largestError)), ("max_rel", .double(largestRelativeError)),
    ])
  }

  mutating func add(_ numbers: UnsafeMutableBufferPointer<Double>, _ coder: FloatCoder) {
    withUnsafeTemporaryAllocation(byteCount: numbers.count * coder.width, alignment: 16) { bytes in
      withUnsafeTemporaryAllocation(of: Double.self, capacity: numbers.count) { rounded in
        coder.encode(UnsafeBufferPointer(numbers), into: bytes)
        coder.decode(UnsafeRawBufferPointer(bytes), into: rounded)
        for index in numbers.indices { add(numbers[index], rounded[index]) }
      }
    }
  }

  private mutating func add(_ number: Double, _ rounded: Double) {
    count += 1
    guard number != rounded, number.isFinite else { return }
    changed += 1
    let error = (number - rounded).magnitude
    largestError = max(largestError, error)
    if rounded == 0 {
      vanished += 1
    } else {
      largestRelativeError = max(largestRelativeError, error / number.magnitude)
    }
  }
}
