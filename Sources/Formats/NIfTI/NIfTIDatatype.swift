/// The element types of NIfTI that wt reads, by their codes.
///
/// Bits, complex numbers, 128-bit floats and colours with opacity are no intensities of a scan or
/// numbers of classes and are refused.
public enum NIfTIDatatype: Int, Sendable, CaseIterable {
  case uint8 = 2
  case int16 = 4
  case int32 = 8
  case float32 = 16
  case float64 = 64
  case rgb24 = 128
  case int8 = 256
  case uint16 = 512
  case uint32 = 768
  case int64 = 1024
  case uint64 = 1280

  /// The type of one stored number.
  public var dtype: DType {
    switch self {
    case .uint8, .rgb24: .uint8
    case .int16: .int16
    case .int32: .int32
    case .float32: .float32
    case .float64: .float64
    case .int8: .int8
    case .uint16: .uint16
    case .uint32: .uint32
    case .int64: .int64
    case .uint64: .uint64
    }
  }

  /// The type that stores such numbers, one a voxel.
  public init?(_ dtype: DType) {
    guard let match = Self.allCases.first(where: { $0 != .rgb24 && $0.dtype == dtype }) else {
      return nil
    }
    self = match
  }

  /// Numbers of one voxel: red, green and blue, or one.
  public var channels: Int { self == .rgb24 ? 3 : 1 }

  public var bitWidth: Int { dtype.bitWidth * channels }
}
