/// How a tensor's elements lie in a run of bytes: its extents and the step along each.
struct StridedLayout: Sendable, Equatable {
  let shape: [Int]
  /// In elements, all ≥ 0.
  let strides: [Int]
  let elementBytes: Int
  let elementCount: Int
  /// Elements from the first to the last that the layout touches; zero for an empty tensor.
  let span: Int

  /// Checks that the strides fit the shape.
  ///
  /// - Throws: `FormatError` with code `rankMismatch`, `negativeDimension` or `overflow`.
  init(_ info: TensorInfo, strides: [Int]) throws {
    guard strides.count == info.shape.count else {
      throw FormatError(
        .rankMismatch, subject: info.name, expected: "\(info.shape.count) strides",
        found: "\(strides.count)")
    }
    if let negative = strides.first(where: { $0 < 0 }) {
      throw FormatError(
        .negativeDimension, subject: info.name, expected: "≥ 0", found: "\(negative)")
    }
    shape = info.shape
    self.strides = strides
    // Neither torch nor numpy stores an element below a byte.
    elementBytes = info.dtype.byteWidth ?? 1
    elementCount = info.elementCount
    span = try Self.span(info, strides)
  }

  /// The layout of packed elements, the last extent running fastest, or the first.
  init(packed info: TensorInfo, isFortran: Bool = false) throws {
    try self.init(info, strides: Self.packedStrides(info.shape, isFortran: isFortran))
  }

  /// The strides of packed elements; an empty tensor's are of no use to anyone.
  static func packedStrides(_ shape: [Int], isFortran: Bool) -> [Int] {
    guard !shape.contains(0) else { return Array(repeating: 0, count: shape.count) }
    var step = 1
    let fastestFirst: [Int] = (isFortran ? shape : shape.reversed()).map { extent in
      defer { step *= extent }
      return step
    }
    return isFortran ? fastestFirst : fastestFirst.reversed()
  }

  private static func span(_ info: TensorInfo, _ strides: [Int]) throws -> Int {
    guard info.elementCount > 0 else { return 0 }
    var last = 0
    for (extent, stride) in zip(info.shape, strides) {
      let (reach, overflow) = (extent - 1).multipliedReportingOverflow(by: stride)
      let (sum, carry) = last.addingReportingOverflow(reach)
      guard !overflow, !carry, sum < .max else {
        throw FormatError(.overflow, subject: info.name, expected: "strides within 63 bits")
      }
      last = sum
    }
    return last + 1
  }

  /// Whether the elements lie in C order without gaps.
  var isContiguous: Bool { collapsed.allSatisfy { $0.stride == 1 } && collapsed.count <= 1 }

  /// The dimensions with those of extent one dropped and neighbours that run on merged.
  var collapsed: [(extent: Int, stride: Int)] {
    var result: [(extent: Int, stride: Int)] = []
    for (extent, stride) in zip(shape, strides) where extent != 1 {
      if let outer = result.last, outer.stride == stride &* extent {
        result[result.count - 1] = (outer.extent * extent, stride)
      } else {
        result.append((extent, stride))
      }
    }
    return result
  }
}
