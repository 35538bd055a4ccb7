import CKernels
import Formats

/// Turns the floating-point types that weights are stored in into doubles and back.
///
/// Doubles hold every one of them exactly; the way back rounds once, to nearest, ties to even.
struct FloatCoder: Sendable {
  let dtype: DType
  let width: Int

  static let dtypes: [DType] = [.float64, .float32, .float16, .bfloat16]

  init?(_ dtype: DType) {
    guard Self.dtypes.contains(dtype), let width = dtype.byteWidth else { return nil }
    self.dtype = dtype
    self.width = width
  }

  /// - Throws: `SurgeryError` with code `notFloat`.
  init(checking info: TensorInfo) throws {
    guard let coder = FloatCoder(info.dtype) else {
      throw SurgeryError(
        .notFloat, subject: info.name.text,
        expected: "one of \(Self.dtypes.map(\.rawValue).joined(separator: ", "))",
        found: info.dtype.rawValue)
    }
    self = coder
  }

  /// Decodes as many elements as the second buffer holds.
  func decode(
    _ bytes: UnsafeRawBufferPointer, into numbers: UnsafeMutableBufferPointer<Double>
  ) {
    switch dtype {
    case .float64: decode(bytes, numbers) { Double(bitPattern: $0) }
    case .float32: decodeSingle(bytes, numbers)
    case .float16: decode(bytes, numbers) { HalfFloat.decode($0) }
    default: decode(bytes, numbers) { Double(Float(bitPattern: UInt32($0 as UInt16) << 16)) }
    }
  }

  /// Encodes all numbers into the front of the second buffer.
  func encode(
    _ numbers: UnsafeBufferPointer<Double>, into bytes: UnsafeMutableRawBufferPointer
  ) {
    switch dtype {
    case .float64: encode(numbers, bytes) { $0.bitPattern }
    case .float32: encodeSingle(numbers, bytes)
    case .float16: encode(numbers, bytes) { HalfFloat.encode($0) }
    default: encode(numbers, bytes) { BrainFloat.encode($0) }
    }
  }

  private func decodeSingle(
    _ bytes: UnsafeRawBufferPointer, _ numbers: UnsafeMutableBufferPointer<Double>
  ) {
    precondition(bytes.count >= numbers.count * width)
    guard let source = bytes.baseAddress, let target = numbers.baseAddress else { return }
    wt_from_float32(target, source, numbers.count)
  }

  private func encodeSingle(
    _ numbers: UnsafeBufferPointer<Double>, _ bytes: UnsafeMutableRawBufferPointer
  ) {
    precondition(bytes.count >= numbers.count * width)
    guard let source = numbers.baseAddress, let target = bytes.baseAddress else { return }
    wt_to_float32(target, source, numbers.count)
  }

  @inline(__always)
  private func decode<Bits: FixedWidthInteger>(
    _ bytes: UnsafeRawBufferPointer, _ numbers: UnsafeMutableBufferPointer<Double>,
    _ convert: (Bits) -> Double
  ) {
    let width = MemoryLayout<Bits>.size
    precondition(bytes.count >= numbers.count * width)
    guard let source = bytes.baseAddress else { return }
    for index in 0..<numbers.count {
      let bits = source.loadUnaligned(fromByteOffset: index * width, as: Bits.self)
      numbers[index] = convert(Bits(littleEndian: bits))
    }
  }

  @inline(__always)
  private func encode<Bits: FixedWidthInteger>(
    _ numbers: UnsafeBufferPointer<Double>, _ bytes: UnsafeMutableRawBufferPointer,
    _ convert: (Double) -> Bits
  ) {
    let width = MemoryLayout<Bits>.size
    precondition(bytes.count >= numbers.count * width)
    guard let target = bytes.baseAddress else { return }
    for index in 0..<numbers.count {
      target.storeBytes(
        of: convert(numbers[index]).littleEndian, toByteOffset: index * width, as: Bits.self)
    }
  }
}

/// The 16-bit format with float32's exponent.
enum BrainFloat {
  /// Rounds to nearest, ties to even; a NaN stays one.
  static func encode(_ value: Double) -> UInt16 {
    let bits = oddRounded(value)
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
  }
}

/// IEEE 754's 16-bit format.
enum HalfFloat {
  static func decode(_ bits: UInt16) -> Double {
    let (exponent, fraction) = (Int(bits >> 10 & 31), Double(bits & 0x3FF))
    let magnitude: Double
    switch exponent {
    case 0: magnitude = fraction * 0x1p-24
    case 31: magnitude = fraction == 0 ? .infinity : .nan
    default:
      magnitude = Double(sign: .plus, exponent: exponent - 15, significand: 1 + fraction / 1024)
    }
    return bits >> 15 == 1 ? -magnitude : magnitude
  }

  /// Rounds to nearest, ties to even; beyond 65 520 it is infinity.
  static func encode(_ value: Double) -> UInt16 {
    let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
    if value.isNaN { return sign | 0x7E00 }
    let magnitude = value.magnitude
    guard magnitude < 65_520 else { return sign | 0x7C00 }
    // Subnormal halves are multiples of 2⁻²⁴; below that the spacing follows the exponent.
    guard magnitude >= 0x1p-14 else {
      return sign | UInt16((magnitude * 0x1p24).rounded(.toNearestOrEven))
    }
    let exponent = Int(magnitude.exponent)
    let fraction = (magnitude.significand * 1024).rounded(.toNearestOrEven)
    // A fraction that rounds up to 2048 carries into the exponent by itself.
    return sign | UInt16((exponent + 14) << 10 + Int(fraction))
  }
}

/// The bits of the float nearest towards zero, with the last one set when anything was cut off.
///
/// Rounding that to a shorter format gives what rounding the double itself would give.
/// Source: Boldo and Melquiond, "Emulation of FMA and correctly rounded sums" (2008).
private func oddRounded(_ value: Double) -> UInt32 {
  let nearest = Float(value)
  var bits = nearest.bitPattern
  guard value.isFinite, Double(nearest) != value else { return bits }
  if Double(nearest).magnitude > value.magnitude { bits -= 1 }
  return bits | 1
}

extension FloatCoder {
  /// The largest finite number of a type, beyond which rounding gives infinity.
  static func largest(_ dtype: DType) -> Double {
    switch dtype {
    case .float64: .greatestFiniteMagnitude
    case .float32: Double(Float.greatestFiniteMagnitude)
    case .float16: 65_504
    default: Double(Float(bitPattern: 0x7F7F_0000))
    }
  }
}

extension FloatCoder {
  /// The smallest number that rounds to infinity: half a unit beyond the largest finite one.
  static func roundingLimit(_ dtype: DType) -> Double {
    switch dtype {
    case .float64: .infinity
    case .float32: 0x1.ffffffp127
    case .float16: 65_520
    default: 0x1.ffp127
    }
  }
}
