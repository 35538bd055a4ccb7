/// The element type of a stored tensor.
///
/// The raw value is the spelling of the safetensors header; `C32` and `C128` extend it with what
/// PyTorch can store and safetensors cannot.
public enum DType: String, Sendable, CaseIterable, Codable {
  case bool = "BOOL"
  case float4 = "F4"
  case float6E2M3 = "F6_E2M3"
  case float6E3M2 = "F6_E3M2"
  case uint8 = "U8"
  case int8 = "I8"
  case float8E5M2 = "F8_E5M2"
  case float8E4M3 = "F8_E4M3"
  case float8E8M0 = "F8_E8M0"
  case float8E4M3FNUZ = "F8_E4M3FNUZ"
  case float8E5M2FNUZ = "F8_E5M2FNUZ"
  case int16 = "I16"
  case uint16 = "U16"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case complex32 = "C32"
  case int32 = "I32"
  case uint32 = "U32"
  case float32 = "F32"
  case complex64 = "C64"
  case float64 = "F64"
  case int64 = "I64"
  case uint64 = "U64"
  case complex128 = "C128"

  /// Bits an element takes when packed.
  public var bitWidth: Int {
    switch self {
    case .float4: 4
    case .float6E2M3, .float6E3M2: 6
    case .bool, .uint8, .int8, .float8E5M2, .float8E4M3, .float8E8M0, .float8E4M3FNUZ,
      .float8E5M2FNUZ:
      8
    case .int16, .uint16, .float16, .bfloat16: 16
    case .int32, .uint32, .float32, .complex32: 32
    case .complex64, .float64, .int64, .uint64: 64
    case .complex128: 128
    }
  }

  /// Bytes an element takes, or nil for the sub-byte types.
  public var byteWidth: Int? { bitWidth % 8 == 0 ? bitWidth / 8 : nil }

  /// Bytes that swap together when a file's byte order is not ours: a complex number's parts.
  public var swapUnit: Int {
    isComplex ? bitWidth / 16 : max(1, bitWidth / 8)
  }

  public var isComplex: Bool { self == .complex32 || self == .complex64 || self == .complex128 }

  /// Whether a safetensors header can name this type.
  public var isStorableInSafeTensors: Bool { self != .complex32 && self != .complex128 }

  /// Position in the order that safetensors writers sort by, smallest alignment first.
  var safeTensorsRank: Int { Self.ranks[self] ?? 0 }

  private static let ranks = Dictionary(
    uniqueKeysWithValues: allCases.enumerated().map { ($1, $0) })
}
