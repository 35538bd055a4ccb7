import Formats

/// Looks for numbers that are not finite, which have every bit of their exponent set.
struct FiniteCheck {
  private let info: TensorInfo
  private let coder: FloatCoder

  /// - Throws: `SurgeryError` with code `notFloat`.
  init(_ info: TensorInfo) throws {
    self.info = info
    coder = try FloatCoder(checking: info)
  }

  /// Reads all numbers.
  ///
  /// - Throws: `SurgeryError` with code `notFinite`, naming the first that is not, or what reading
  ///   throws.
  func callAsFunction(_ reader: any TensorReader) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    var done = 0
    while case let count = try reader.read(into: buffer), count > 0 {
      let part = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      if !areFinite(part) { try name(part, from: done / coder.width) }
      done += count
    }
  }

  private func areFinite(_ bytes: UnsafeRawBufferPointer) -> Bool {
    switch coder.dtype {
    case .float64: Self.areFinite(bytes, exponent: 0x7FF0_0000_0000_0000 as UInt64)
    case .float32: Self.areFinite(bytes, exponent: 0x7F80_0000 as UInt32)
    case .float16: Self.areFinite(bytes, exponent: 0x7C00 as UInt16)
    default: Self.areFinite(bytes, exponent: 0x7F80 as UInt16)
    }
  }

  /// Without a way out of the loop, so that it goes through many numbers at once.
  private static func areFinite<Word: FixedWidthInteger>(
    _ bytes: UnsafeRawBufferPointer, exponent: Word
  ) -> Bool {
    var hits: Word = 0
    for word in bytes.bindMemory(to: Word.self) where word & exponent == exponent { hits |= 1 }
    return hits == 0
  }

  /// Finds the number and throws.
  private func name(_ bytes: UnsafeRawBufferPointer, from start: Int) throws {
    var numbers = [Double](repeating: 0, count: bytes.count / coder.width)
    try numbers.withUnsafeMutableBufferPointer {
      coder.decode(bytes, into: $0)
      try checkFinite($0, info, from: start)
    }
  }
}
