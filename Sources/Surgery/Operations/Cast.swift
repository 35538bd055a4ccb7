import Formats

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
