/// Turns stored elements into numbers that can be compared and summed up.
///
/// Floats of every width, integers and booleans become one double, complex numbers two. 64-bit
/// integers beyond 2^53 are rounded; whoever needs equality compares bytes.
public struct ElementDecoder: Sendable {
  public let dtype: DType
  /// Doubles that one element gives.
  public var numbersPerElement: Int { dtype.isComplex ? 2 : 1 }

  /// A decoder, or nil for a type without byte-sized elements.
  public init?(_ dtype: DType) {
    guard dtype.byteWidth != nil else { return nil }
    self.dtype = dtype
  }

  /// Calls `body` with each number of a buffer of whole, little-endian elements.
  public func forEach(_ bytes: UnsafeRawBufferPointer, _ body: (Double) -> Void) {
    switch dtype {
    case .bool, .uint8: numbers(bytes, UInt8.self) { body(Double($0)) }
    case .int8: numbers(bytes, Int8.self) { body(Double($0)) }
    case .int16: numbers(bytes, Int16.self) { body(Double($0)) }
    case .uint16: numbers(bytes, UInt16.self) { body(Double($0)) }
    case .int32: numbers(bytes, Int32.self) { body(Double($0)) }
    case .uint32: numbers(bytes, UInt32.self) { body(Double($0)) }
    case .int64: numbers(bytes, Int64.self) { body(Double($0)) }
    case .uint64: numbers(bytes, UInt64.self) { body(Double($0)) }
    case .float64, .complex128:
      numbers(bytes, UInt64.self) { body(Double(bitPattern: $0)) }
    case .float32, .complex64:
      numbers(bytes, UInt32.self) { body(Double(Float(bitPattern: $0))) }
    case .bfloat16:
      numbers(bytes, UInt16.self) { body(Double(Float(bitPattern: UInt32($0) << 16))) }
    case .float16, .complex32: numbers(bytes, UInt16.self) { body(SmallFloat.float16.decode($0)) }
    default:
      guard let format = SmallFloat(dtype) else { return }
      numbers(bytes, UInt8.self) { body(format.decode(UInt16($0))) }
    }
  }

  private func numbers<Value: FixedWidthInteger>(
    _ bytes: UnsafeRawBufferPointer, _ type: Value.Type, _ body: (Value) -> Void
  ) {
    let width = MemoryLayout<Value>.size
    for place in stride(from: 0, to: bytes.count - width + 1, by: width) {
      body(Value(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: Value.self)))
    }
  }
}

/// A floating-point format of 8 or 16 bits, decoded by its definition.
///
/// Source: IEEE 754 (half), OCP 8-bit floating point 1.0 (E5M2, E4M3), OCP microscaling 1.0 (E8M0)
/// and Noune et al. 2022 for the variants without negative zero (FNUZ).
struct SmallFloat {
  var exponentBits: Int
  var mantissaBits: Int
  var bias: Int
  var special: Special

  enum Special {
    /// All-ones exponents are infinities and NaNs.
    case ieee
    /// Only all ones is NaN; there is no infinity.
    case allOnes
    /// Only the pattern of negative zero is NaN.
    case negativeZero
  }

  static let float16 = SmallFloat(exponentBits: 5, mantissaBits: 10, bias: 15, special: .ieee)

  init(exponentBits: Int, mantissaBits: Int, bias: Int, special: Special) {
    self.exponentBits = exponentBits
    self.mantissaBits = mantissaBits
    self.bias = bias
    self.special = special
  }

  init?(_ dtype: DType) {
    switch dtype {
    case .float16: self = .float16
    case .float8E5M2: self.init(exponentBits: 5, mantissaBits: 2, bias: 15, special: .ieee)
    case .float8E4M3: self.init(exponentBits: 4, mantissaBits: 3, bias: 7, special: .allOnes)
    case .float8E5M2FNUZ:
      self.init(exponentBits: 5, mantissaBits: 2, bias: 16, special: .negativeZero)
    case .float8E4M3FNUZ:
      self.init(exponentBits: 4, mantissaBits: 3, bias: 8, special: .negativeZero)
    case .float8E8M0: self.init(exponentBits: 8, mantissaBits: 0, bias: 127, special: .allOnes)
    default: return nil
    }
  }

  func decode(_ bits: UInt16) -> Double {
    // A scale has no sign, no zero and no mantissa.
    if mantissaBits == 0 {
      return bits == 0xFF ? .nan : Double(sign: .plus, exponent: Int(bits) - bias, significand: 1)
    }
    let width = exponentBits + mantissaBits
    let magnitude = Int(bits) & (1 << width - 1)
    let isNegative = Int(bits) >> width & 1 == 1
    let (exponent, mantissa) = (magnitude >> mantissaBits, magnitude & (1 << mantissaBits - 1))
    if let value = specialValue(exponent, mantissa, magnitude, isNegative) { return value }
    let fraction = Double(mantissa) / Double(1 << mantissaBits)
    let value =
      exponent == 0
      ? Double(sign: .plus, exponent: 1 - bias, significand: 1) * fraction
      : Double(sign: .plus, exponent: exponent - bias, significand: 1 + fraction)
    return isNegative ? -value : value
  }

  private func specialValue(
    _ exponent: Int, _ mantissa: Int, _ magnitude: Int, _ isNegative: Bool
  ) -> Double? {
    switch special {
    case .ieee:
      guard exponent == 1 << exponentBits - 1 else { return nil }
      return mantissa > 0 ? .nan : isNegative ? -.infinity : .infinity
    case .allOnes: return magnitude == 1 << (exponentBits + mantissaBits) - 1 ? .nan : nil
    case .negativeZero: return magnitude == 0 && isNegative ? .nan : nil
    }
  }
}
