import Formats
import Support
import Synchronization

/// Converts all floating-point tensors to another type, to nearest with ties to even.
public struct Cast: Operation {
  public var dtype: DType
  public let report: RoundingReport

  public init(dtype: DType, report: RoundingReport = RoundingReport()) {
    self.dtype = dtype
    self.report = report
  }

  public func apply(to blueprint: inout Blueprint) throws {
    guard FloatCoder(dtype) != nil else {
      throw SurgeryError(
        .badOption, subject: "dtype",
        expected: "one of \(FloatCoder.dtypes.map(\.rawValue).joined(separator: ", "))",
        found: dtype.rawValue)
    }
    for place in blueprint.entries.indices {
      let old = blueprint.entries[place]
      guard FloatCoder(old.info.dtype) != nil, old.info.dtype != dtype else { continue }
      blueprint.entries[place] = Blueprint.Entry(
        info: try TensorInfo(name: old.info.name, dtype: dtype, shape: old.info.shape),
        origin: .computed(computation(old)))
    }
  }

  private func computation(_ old: Blueprint.Entry) -> Computation {
    let report = report
    return Computation("cast from \(old.info.dtype.rawValue)", of: [old]) { info in
      let source = try NumberSource(old)
      var rounding = RoundingReport.Rounding()
      guard let coder = FloatCoder(info.dtype) else { preconditionFailure("checked above") }
      return NumberReader(info) { range, numbers in
        try source.read(into: numbers)
        try checkRange(numbers, info, from: range.lowerBound)
        rounding.add(numbers, coder)
        if range.upperBound == info.elementCount { report.record(rounding, of: info.name) }
      }
    }
  }
}

/// Infinities and NaNs may pass; a finite number must not become infinite.
///
/// - Throws: `SurgeryError` with code `overflow`.
private func checkRange(
  _ numbers: UnsafeMutableBufferPointer<Double>, _ info: TensorInfo, from first: Int
) throws {
  let limit = FloatCoder.roundingLimit(info.dtype)
  guard let place = numbers.firstIndex(where: { $0.isFinite && $0.magnitude >= limit }) else {
    return
  }
  throw SurgeryError(
    .overflow, subject: info.name.text,
    expected: "at most \(FloatCoder.largest(info.dtype)), the largest \(info.dtype.rawValue)",
    found: "\(numbers[place]) at element \(first + place)", remedy: "cast to bf16 or f32")
}

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
