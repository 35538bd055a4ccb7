/// What a checkpoint says of one tensor without its bytes.
public struct TensorInfo: Sendable, Equatable {
  public var name: TensorName
  public var dtype: DType
  /// Extents, outermost first; empty for a scalar.
  public var shape: [Int]
  public let elementCount: Int
  /// Bytes when packed in C order.
  public let byteCount: Int

  /// Makes the description of a tensor whose size is representable.
  ///
  /// - Throws: `FormatError` with code `negativeDimension`, `overflow`, `rankLimit` or
  ///   `misalignedBits`.
  public init(name: TensorName, dtype: DType, shape: [Int]) throws {
    self.name = name
    self.dtype = dtype
    self.shape = shape
    elementCount = try checkedElementCount(shape, name: name)
    byteCount = try checkedByteCount(elementCount, dtype, name: name)
  }
}

/// The product of the extents.
func checkedElementCount(_ shape: [Int], name: TensorName) throws -> Int {
  guard shape.count <= Budgets.rank else {
    throw FormatError(
      .rankLimit, subject: name, expected: "at most \(Budgets.rank) dimensions",
      found: "\(shape.count)")
  }
  if let negative = shape.first(where: { $0 < 0 }) {
    throw FormatError(.negativeDimension, subject: name, expected: "≥ 0", found: "\(negative)")
  }
  // A zero extent makes the product zero, yet the others must not overflow on the way there.
  var count = 1
  for extent in shape where extent != 0 {
    let (product, overflow) = count.multipliedReportingOverflow(by: extent)
    guard !overflow else { throw FormatError.tooLarge(name, shape) }
    count = product
  }
  return shape.contains(0) ? 0 : count
}

private func checkedByteCount(_ count: Int, _ dtype: DType, name: TensorName) throws -> Int {
  let (bits, overflow) = count.multipliedReportingOverflow(by: dtype.bitWidth)
  guard !overflow else { throw FormatError.tooLarge(name, [count]) }
  guard bits % 8 == 0 else {
    throw FormatError(
      .misalignedBits, subject: name, expected: "a whole number of bytes", found: "\(bits) bits")
  }
  return bits / 8
}

extension FormatError {
  fileprivate static func tooLarge(_ name: TensorName, _ shape: [Int]) -> FormatError {
    FormatError(
      .overflow, subject: name, expected: "a size that fits 63 bits",
      found: "shape \(shape)".shortened(to: 120))
  }
}
