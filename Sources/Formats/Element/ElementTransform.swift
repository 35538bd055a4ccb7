/// What must be done to stored bytes before they are the tensor's: byte order, conjugation,
/// negation.
struct ElementTransform: Sendable {
  /// Bytes of one number; a complex element has two.
  private let unit: Int
  private let swapsBytes: Bool
  private let negates: Sign
  private let isInteger: Bool

  /// Which of the numbers change their sign.
  private enum Sign { case none, all, imaginary, real }

  init(_ dtype: DType, swapsBytes: Bool, isNegated: Bool = false, isConjugated: Bool = false) {
    unit = dtype.swapUnit
    self.swapsBytes = swapsBytes && dtype.swapUnit > 1
    isInteger = [.int8, .int16, .int32, .int64, .uint8].contains(dtype)
    switch (isNegated, isConjugated && dtype.isComplex) {
    case (false, false): negates = .none
    case (true, false): negates = .all
    case (false, true): negates = .imaginary
    case (true, true): negates = .real
    }
  }

  /// Whether the bytes stay as they are.
  var isIdentity: Bool { !swapsBytes && negates == .none }

  /// Transforms whole elements in place.
  func apply(to buffer: UnsafeMutableRawBufferPointer) {
    if swapsBytes { swap(buffer) }
    guard negates != .none else { return }
    let step = negates == .all ? unit : 2 * unit
    let first = negates == .imaginary ? unit : 0
    for place in stride(from: first, to: buffer.count, by: step) {
      negate(UnsafeMutableRawBufferPointer(rebasing: buffer[place..<place + unit]))
    }
  }

  private func swap(_ buffer: UnsafeMutableRawBufferPointer) {
    switch unit {
    case 2: swap(buffer, UInt16.self)
    case 4: swap(buffer, UInt32.self)
    default: swap(buffer, UInt64.self)
    }
  }

  private func swap<Word: FixedWidthInteger & BitwiseCopyable>(
    _ buffer: UnsafeMutableRawBufferPointer, _ type: Word.Type
  ) {
    for place in stride(from: 0, to: buffer.count - unit + 1, by: unit) {
      let word = buffer.loadUnaligned(fromByteOffset: place, as: type)
      buffer.storeBytes(of: word.byteSwapped, toByteOffset: place, as: type)
    }
  }

  /// A float's sign is its last byte's top bit; an integer is complemented and incremented.
  private func negate(_ number: UnsafeMutableRawBufferPointer) {
    guard isInteger else {
      number[unit - 1] ^= 0x80
      return
    }
    var carry = true
    for index in number.indices {
      let (sum, overflow) = (~number[index]).addingReportingOverflow(carry ? 1 : 0)
      number[index] = sum
      carry = overflow
    }
  }
}
