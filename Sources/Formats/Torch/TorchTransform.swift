/// What must be done to stored bytes before they are the tensor's: byte order, conjugation,
/// negation.
struct TorchTransform {
  /// Bytes of one number; a complex element has two.
  let unit: Int
  let swapsBytes: Bool
  private let negates: Sign
  private let isInteger: Bool

  /// Which of the numbers change their sign.
  private enum Sign { case none, all, imaginary, real }

  init(view: TorchView, swapsBytes: Bool) {
    let dtype = view.info.dtype
    unit = dtype.swapUnit
    self.swapsBytes = swapsBytes
    isInteger = [.int8, .int16, .int32, .int64, .uint8].contains(dtype)
    switch (view.isNegated, view.isConjugated && dtype.isComplex) {
    case (false, false): negates = .none
    case (true, false): negates = .all
    case (false, true): negates = .imaginary
    case (true, true): negates = .real
    }
  }

  /// Transforms whole elements in place.
  func apply(to buffer: UnsafeMutableRawBufferPointer) {
    if swapsBytes, unit > 1 { swap(buffer) }
    guard negates != .none else { return }
    let step = negates == .all ? unit : 2 * unit
    let first = negates == .imaginary ? unit : 0
    for place in stride(from: first, to: buffer.count, by: step) {
      negate(UnsafeMutableRawBufferPointer(rebasing: buffer[place..<place + unit]))
    }
  }

  private func swap(_ buffer: UnsafeMutableRawBufferPointer) {
    for place in stride(from: 0, to: buffer.count - unit + 1, by: unit) {
      buffer[place..<place + unit].reverse()
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

/// Applies a transform to what another reader hands out.
final class TransformingReader: TensorReader {
  private let base: any TensorReader
  private let transform: TorchTransform

  init(_ base: any TensorReader, _ transform: TorchTransform) {
    self.base = base
    self.transform = transform
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    // Buffers are whole elements long, save the last one's end, which is the tensor's too.
    let count = try base.read(into: buffer)
    transform.apply(to: buffer.first(count))
    return count
  }
}
