import CHDF5

/// The element type of a dataset, if it is one that a tensor can have.
struct HDF5ElementType: Equatable {
  var dtype: DType
  var isBigEndian: Bool

  /// Recognises IEEE floats, integers of whole bytes, h5py's booleans and its complex numbers.
  ///
  /// Class, size, precision, offset and every field of a float are compared: a type may lay out
  /// its bits in any way.
  ///
  /// - Throws: `FormatError` with code `unsupportedType` or `forbiddenHDF5Feature`.
  init(_ type: hid_t) throws {
    guard H5Tcommitted(type) <= 0 else { throw Self.unsupported("a committed type") }
    switch H5Tget_class(type) {
    case H5T_INTEGER: self = try Self.integer(type)
    case H5T_FLOAT: self = try Self.float(type)
    case H5T_ENUM: self = try Self.boolean(type)
    case H5T_COMPOUND: self = try Self.complex(type)
    case H5T_STRING: throw Self.unsupported("text")
    case H5T_VLEN: throw Self.unsupported("elements of varying length")
    case H5T_ARRAY: throw Self.unsupported("arrays as elements")
    case H5T_OPAQUE, H5T_BITFIELD, H5T_TIME: throw Self.unsupported("bits without a meaning")
    case H5T_REFERENCE:
      throw FormatError(.forbiddenHDF5Feature, found: "references to other objects")
    default: throw Self.unsupported("an unknown class of types")
    }
  }

  /// The integer type that stands for a dtype which HDF5 cannot name.
  static func rawBits(of dtype: DType) -> DType? {
    switch dtype {
    case .bfloat16: .uint16
    case .float8E5M2, .float8E4M3, .float8E8M0, .float8E4M3FNUZ, .float8E5M2FNUZ: .uint8
    default: nil
    }
  }

  private init(_ dtype: DType, isBigEndian: Bool) {
    self.dtype = dtype
    self.isBigEndian = isBigEndian
  }

  private static func unsupported(_ found: String) -> FormatError {
    FormatError(
      .unsupportedType,
      expected: "IEEE floats, integers of 1, 2, 4 or 8 bytes, h5py's booleans or complex numbers",
      found: found)
  }

  /// Whether the number fills its bytes; the byte order if it does.
  private static func order(_ type: hid_t, bytes: Int) throws -> Bool {
    let order = H5Tget_order(type)
    guard H5Tget_precision(type) == bytes * 8, H5Tget_offset(type) == 0,
      order == H5T_ORDER_LE || order == H5T_ORDER_BE
    else { throw unsupported("numbers that do not fill their bytes") }
    return order == H5T_ORDER_BE
  }

  private static func integer(_ type: hid_t) throws -> HDF5ElementType {
    let size = H5Tget_size(type)
    let isSigned = H5Tget_sign(type) == H5T_SGN_2
    let types: [Int: (DType, DType)] = [
      1: (.int8, .uint8), 2: (.int16, .uint16), 4: (.int32, .uint32), 8: (.int64, .uint64),
    ]
    guard let (signed, unsigned) = types[size] else {
      throw unsupported("integers of \(size) bytes")
    }
    return HDF5ElementType(
      isSigned ? signed : unsigned, isBigEndian: try order(type, bytes: size))
  }

  private static func float(_ type: hid_t) throws -> HDF5ElementType {
    let size = H5Tget_size(type)
    // IEEE 754: exponent bits, fraction bits and bias of each size.
    let layouts: [Int: (dtype: DType, exponent: Int, fraction: Int, bias: Int)] = [
      2: (.float16, 5, 10, 15), 4: (.float32, 8, 23, 127), 8: (.float64, 11, 52, 1023),
    ]
    guard let layout = layouts[size] else { throw unsupported("floats of \(size) bytes") }
    var (sign, exponentAt, exponent, fractionAt, fraction) = (0, 0, 0, 0, 0)
    try HDF5Library.check(
      H5Tget_fields(type, &sign, &exponentAt, &exponent, &fractionAt, &fraction), "read a type")
    guard sign == size * 8 - 1, exponentAt == layout.fraction, exponent == layout.exponent,
      fractionAt == 0, fraction == layout.fraction, H5Tget_ebias(type) == layout.bias,
      H5Tget_norm(type) == H5T_NORM_IMPLIED
    else { throw unsupported("floats that are not IEEE 754's") }
    return HDF5ElementType(layout.dtype, isBigEndian: try order(type, bytes: size))
  }

  /// h5py's boolean: an enumeration over bytes with FALSE = 0 and TRUE = 1.
  private static func boolean(_ type: hid_t) throws -> HDF5ElementType {
    let base = try HDF5Library.check(H5Tget_super(type), "read a type")
    defer { HDF5Library.close(base) }
    guard H5Tget_size(type) == 1, H5Tget_class(base) == H5T_INTEGER,
      H5Tget_size(base) == 1, H5Tget_nmembers(type) == 2
    else { throw unsupported("an enumeration") }
    var values: [String: UInt8] = [:]
    for member in 0..<UInt32(2) {
      var value: UInt8 = 0
      try HDF5Library.check(H5Tget_member_value(type, member, &value), "read a type")
      values[memberName(type, member)] = value
    }
    guard values == ["FALSE": 0, "TRUE": 1] else { throw unsupported("an enumeration") }
    return HDF5ElementType(.bool, isBigEndian: false)
  }

  /// h5py's complex number: the floats `r` and `i` side by side.
  private static func complex(_ type: hid_t) throws -> HDF5ElementType {
    guard H5Tget_nmembers(type) == 2, memberName(type, 0) == "r", memberName(type, 1) == "i" else {
      throw unsupported("a compound of several fields")
    }
    let parts = try (0..<UInt32(2)).map { member in
      let part = try HDF5Library.check(H5Tget_member_type(type, member), "read a type")
      defer { HDF5Library.close(part) }
      guard H5Tget_class(part) == H5T_FLOAT else { throw unsupported("a compound of no floats") }
      return (type: try float(part), size: H5Tget_size(part))
    }
    let complexes: [DType: DType] = [
      .float16: .complex32, .float32: .complex64, .float64: .complex128,
    ]
    guard parts[0] == parts[1], let dtype = complexes[parts[0].type.dtype],
      H5Tget_member_offset(type, 0) == 0, H5Tget_member_offset(type, 1) == parts[0].size,
      H5Tget_size(type) == 2 * parts[0].size
    else { throw unsupported("a compound that is no complex number") }
    return HDF5ElementType(dtype, isBigEndian: parts[0].type.isBigEndian)
  }

  private static func memberName(_ type: hid_t, _ member: UInt32) -> String {
    guard let name = H5Tget_member_name(type, member) else { return "" }
    defer { H5free_memory(name) }
    return String(cString: name)
  }
}
