/// A tensor as torch stores it: a strided window onto a storage record.
struct TorchView: Sendable, Equatable {
  var info: TensorInfo
  var storage: PickleDocument.Storage
  /// All in elements of the tensor's own type.
  var offset: Int
  var strides: [Int]
  /// Lazily applied complex conjugation and negation (torch's conj and neg bits).
  var isConjugated = false
  var isNegated = false

  /// Elements from the first to the last that the view touches; zero for an empty tensor.
  let span: Int

  /// Checks that the view stays within its storage.
  ///
  /// - Throws: `FormatError` with code `rankMismatch`, `negativeDimension`, `overflow`,
  ///   `unsupportedDtype` or `viewOutOfBounds`.
  init(
    info: TensorInfo, storage: PickleDocument.Storage, offset: Int, strides: [Int]
  ) throws {
    guard strides.count == info.shape.count else {
      throw FormatError(
        .rankMismatch, subject: info.name, expected: "\(info.shape.count) strides",
        found: "\(strides.count)")
    }
    if let negative = ([offset] + strides).first(where: { $0 < 0 }) {
      throw FormatError(
        .negativeDimension, subject: info.name, expected: "≥ 0", found: "\(negative)")
    }
    self.info = info
    self.storage = storage
    self.offset = offset
    self.strides = strides
    span = try Self.span(info, strides)
    try checkBounds()
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

  private func checkBounds() throws {
    guard span > 0 else { return }
    let capacity = try Self.byteCount(of: storage)
    let (end, overflow) = offset.addingReportingOverflow(span)
    let (bytes, carry) = end.multipliedReportingOverflow(by: elementBytes)
    guard !overflow, !carry else { throw FormatError(.overflow, subject: info.name) }
    guard bytes <= capacity else {
      throw FormatError(
        .viewOutOfBounds, subject: info.name,
        expected: "at most \(capacity) bytes of storage '\(storage.key)'", found: "\(bytes)")
    }
  }

  /// Bytes of one element; torch has no type below a byte.
  var elementBytes: Int { info.dtype.byteWidth ?? 1 }

  /// The bytes of the storage that the view touches.
  var byteRange: Range<Int> { offset * elementBytes..<(offset + span) * elementBytes }

  /// Whether the elements lie in C order without gaps.
  var isContiguous: Bool { collapsed.allSatisfy { $0.stride == 1 } && collapsed.count <= 1 }

  /// The dimensions with those of extent one dropped and neighbours that run on merged.
  var collapsed: [(extent: Int, stride: Int)] {
    var result: [(extent: Int, stride: Int)] = []
    for (extent, stride) in zip(info.shape, strides) where extent != 1 {
      if let outer = result.last, outer.stride == stride &* extent {
        result[result.count - 1] = (outer.extent * extent, stride)
      } else {
        result.append((extent, stride))
      }
    }
    return result
  }

  /// The bytes a storage announces.
  ///
  /// - Throws: `FormatError` with code `unsupportedDtype` or `overflow`.
  static func byteCount(of storage: PickleDocument.Storage) throws -> Int {
    guard let dtype = TorchNames.storageDType(storage.className), let width = dtype.byteWidth else {
      throw FormatError(
        .unsupportedDtype, subject: storage.key, expected: "a storage class of torch",
        found: storage.className)
    }
    let (bytes, overflow) = storage.elementCount.multipliedReportingOverflow(by: width)
    guard !overflow else {
      throw FormatError(
        .overflow, subject: storage.key, expected: "a size within 63 bits",
        found: "\(storage.elementCount) elements")
    }
    return bytes
  }
}
