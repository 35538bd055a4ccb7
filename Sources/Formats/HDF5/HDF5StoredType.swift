import CHDF5

/// The type of the file in which a tensor's elements are stored.
///
/// Booleans and complex numbers are h5py's; a type that HDF5 has no name for is stored as the
/// unsigned integer of its size, and an attribute tells what the bits are.
enum HDF5StoredType {
  /// Whether the dtype can be stored at all.
  ///
  /// - Throws: `FormatError` with code `unsupportedDtype`.
  static func check(_ tensor: TensorInfo) throws {
    guard tensor.dtype.byteWidth != nil else {
      throw FormatError(
        .unsupportedDtype, subject: tensor.name, expected: "elements of whole bytes",
        found: tensor.dtype.rawValue, remedy: "cast the tensor, or choose another format")
    }
  }

  /// A new handle of the type; the caller closes it.
  static func make(_ dtype: DType) throws -> hid_t {
    switch dtype {
    case .bool: try boolean()
    case .float16: try half()
    case .complex32: try complex(of: try half())
    case .complex64: try complex(of: try copy(wt_H5T_IEEE_F32LE()))
    case .complex128: try complex(of: try copy(wt_H5T_IEEE_F64LE()))
    default: try copy(plain(HDF5ElementType.rawBits(of: dtype) ?? dtype))
    }
  }

  private static func plain(_ dtype: DType) -> hid_t {
    switch dtype {
    case .uint8: wt_H5T_STD_U8LE()
    case .int8: wt_H5T_STD_I8LE()
    case .int16: wt_H5T_STD_I16LE()
    case .uint16: wt_H5T_STD_U16LE()
    case .int32: wt_H5T_STD_I32LE()
    case .uint32: wt_H5T_STD_U32LE()
    case .int64: wt_H5T_STD_I64LE()
    case .uint64: wt_H5T_STD_U64LE()
    case .float32: wt_H5T_IEEE_F32LE()
    case .float64: wt_H5T_IEEE_F64LE()
    default: preconditionFailure("a dtype that was not checked")
    }
  }

  private static func copy(_ type: hid_t) throws -> hid_t {
    try HDF5Library.check(H5Tcopy(type), "make a type")
  }

  private static func boolean() throws -> hid_t {
    let type = try HDF5Library.check(H5Tenum_create(wt_H5T_STD_I8LE()), "make a type")
    for (name, value) in [("FALSE", 0), ("TRUE", 1)] as [(String, Int8)] {
      var value = value
      try HDF5Library.check(H5Tenum_insert(type, name, &value), "make a type")
    }
    return type
  }

  /// IEEE 754's 16-bit float: fields in bits, then the size, then the bias.
  private static func half() throws -> hid_t {
    let type = try copy(wt_H5T_IEEE_F32LE())
    try HDF5Library.check(H5Tset_fields(type, 15, 10, 5, 0, 10), "make a type")
    try HDF5Library.check(H5Tset_size(type, 2), "make a type")
    try HDF5Library.check(H5Tset_ebias(type, 15), "make a type")
    return type
  }

  private static func complex(of part: hid_t) throws -> hid_t {
    defer { HDF5Library.close(part) }
    let size = H5Tget_size(part)
    let type = try HDF5Library.check(H5Tcreate(H5T_COMPOUND, 2 * size), "make a type")
    try HDF5Library.check(H5Tinsert(type, "r", 0, part), "make a type")
    try HDF5Library.check(H5Tinsert(type, "i", size, part), "make a type")
    return type
  }
}
