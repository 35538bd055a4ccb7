/// A tensor as torch stores it: a strided window onto a storage.
struct TorchView: DescribedTensor, Sendable, Equatable {
  let info: TensorInfo
  let storage: PickleDocument.Storage
  let layout: StridedLayout
  /// Lazily applied complex conjugation and negation (torch's conj and neg bits).
  var isConjugated = false
  var isNegated = false
  /// The bytes of the storage that the view touches.
  let byteRange: Range<Int>

  /// Checks that the view stays within its storage.
  ///
  /// - Parameters:
  ///   - offset: where the first element lies, in elements of the tensor's own type.
  ///   - strides: the same.
  /// - Throws: `FormatError` with code `rankMismatch`, `negativeDimension`, `overflow`,
  ///   `unsupportedDtype` or `viewOutOfBounds`.
  init(
    info: TensorInfo, storage: PickleDocument.Storage, offset: Int, strides: [Int]
  ) throws {
    guard offset >= 0 else {
      throw FormatError(
        .negativeDimension, subject: info.name, expected: "≥ 0", found: "\(offset)")
    }
    self.info = info
    self.storage = storage
    layout = try StridedLayout(info, strides: strides)
    byteRange = try Self.byteRange(info, storage, offset, layout)
  }

  private static func byteRange(
    _ info: TensorInfo, _ storage: PickleDocument.Storage, _ offset: Int, _ layout: StridedLayout
  ) throws -> Range<Int> {
    guard layout.span > 0 else { return 0..<0 }
    let window = try byteWindow(of: storage)
    let (end, overflow) = offset.addingReportingOverflow(layout.span)
    let (bytes, carry) = end.multipliedReportingOverflow(by: layout.elementBytes)
    guard !overflow, !carry else { throw FormatError(.overflow, subject: info.name) }
    guard bytes <= window.count else {
      throw FormatError(
        .viewOutOfBounds, subject: info.name,
        expected: "at most \(window.count) bytes of storage '\(storage.key)'", found: "\(bytes)")
    }
    let start = window.lowerBound + offset * layout.elementBytes
    return start..<window.lowerBound + bytes
  }

  /// What must be done to the stored bytes.
  func transform(swapsBytes: Bool) -> ElementTransform {
    ElementTransform(
      info.dtype, swapsBytes: swapsBytes, isNegated: isNegated, isConjugated: isConjugated)
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

  /// The part of the storage that tensors may use: all of it, save in old streams.
  private static func byteWindow(of storage: PickleDocument.Storage) throws -> Range<Int> {
    let bytes = try byteCount(of: storage)
    guard let part = storage.part, storage.elementCount > 0 else { return 0..<bytes }
    // The part lies within the storage, so nothing can overflow.
    let width = bytes / storage.elementCount
    return part.range.lowerBound * width..<part.range.upperBound * width
  }
}
