/// The names by which torch's pickles refer to element types, storages and tensors.
///
/// Source: torch/storage.py (`_dtype_to_storage_type_map`) and torch/_tensor.py.
enum TorchNames {
  /// `torch.float32` and its siblings, without the module.
  static let dtypes: [String: DType] = [
    "float64": .float64, "double": .float64, "float32": .float32, "float": .float32,
    "float16": .float16, "half": .float16, "bfloat16": .bfloat16,
    "int64": .int64, "long": .int64, "int32": .int32, "int": .int32, "int16": .int16,
    "short": .int16, "int8": .int8, "uint8": .uint8, "uint16": .uint16, "uint32": .uint32,
    "uint64": .uint64, "bool": .bool,
    "complex32": .complex32, "chalf": .complex32, "complex64": .complex64, "cfloat": .complex64,
    "complex128": .complex128, "cdouble": .complex128,
    "float8_e4m3fn": .float8E4M3, "float8_e5m2": .float8E5M2,
    "float8_e4m3fnuz": .float8E4M3FNUZ, "float8_e5m2fnuz": .float8E5M2FNUZ,
    "float8_e8m0fnu": .float8E8M0, "float4_e2m1fn_x2": .uint8,
    "qint8": .int8, "quint8": .uint8, "qint32": .int32, "quint4x2": .uint8, "quint2x4": .uint8,
  ]

  /// Storage classes of a fixed element type; `UntypedStorage` counts bytes.
  private static let storages: [String: DType] = [
    "DoubleStorage": .float64, "FloatStorage": .float32, "HalfStorage": .float16,
    "BFloat16Storage": .bfloat16, "LongStorage": .int64, "IntStorage": .int32,
    "ShortStorage": .int16, "CharStorage": .int8, "ByteStorage": .uint8, "BoolStorage": .bool,
    "ComplexDoubleStorage": .complex128, "ComplexFloatStorage": .complex64,
    "QInt8Storage": .int8, "QUInt8Storage": .uint8, "QInt32Storage": .int32,
    "QUInt4x2Storage": .uint8, "QUInt2x4Storage": .uint8, "UntypedStorage": .uint8,
  ]

  /// How torch names an element type: its dtype, and its storage class if it has one.
  static func names(of dtype: DType) -> (dtype: String, storage: String?)? {
    written[dtype]
  }

  private static let written: [DType: (dtype: String, storage: String?)] = [
    .bool: ("bool", "BoolStorage"), .uint8: ("uint8", "ByteStorage"),
    .int8: ("int8", "CharStorage"), .int16: ("int16", "ShortStorage"),
    .int32: ("int32", "IntStorage"), .int64: ("int64", "LongStorage"),
    .float16: ("float16", "HalfStorage"), .bfloat16: ("bfloat16", "BFloat16Storage"),
    .float32: ("float32", "FloatStorage"), .float64: ("float64", "DoubleStorage"),
    .complex64: ("complex64", "ComplexFloatStorage"),
    .complex128: ("complex128", "ComplexDoubleStorage"),
    .complex32: ("complex32", nil), .uint16: ("uint16", nil), .uint32: ("uint32", nil),
    .uint64: ("uint64", nil), .float8E4M3: ("float8_e4m3fn", nil),
    .float8E5M2: ("float8_e5m2", nil), .float8E4M3FNUZ: ("float8_e4m3fnuz", nil),
    .float8E5M2FNUZ: ("float8_e5m2fnuz", nil), .float8E8M0: ("float8_e8m0fnu", nil),
  ]

  /// Classes whose instances are tensors, so that creating one without a rebuild is an error.
  static let tensorClasses: Set<String> = ["Tensor"]

  /// Constants that stand in a pickle by name.
  static let otherConstants: Set<String> = [
    "Size", "device", "strided", "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr",
    "sparse_bsc", "per_tensor_affine", "per_channel_affine", "per_tensor_symmetric",
    "per_channel_symmetric", "per_channel_affine_float_qparams", "contiguous_format",
    "channels_last", "channels_last_3d", "preserve_format",
  ]

  static func isStorageClass(_ name: String) -> Bool { storages[name] != nil }

  /// The element type of a storage class named with its module, or nil.
  static func storageDType(_ qualified: String) -> DType? {
    if qualified == "torch.storage.UntypedStorage" { return .uint8 }
    for module in ["torch.", "torch.cuda."] where qualified.hasPrefix(module) {
      return storages[String(qualified.dropFirst(module.count))]
    }
    return nil
  }

  /// Whether a class may not be instantiated by NEWOBJ: its memory would be left unset.
  static func isTensorOrStorageClass(_ qualified: String) -> Bool {
    storageDType(qualified) != nil || refusedInstances.contains(qualified)
  }

  private static let refusedInstances: Set<String> = [
    "torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter",
    "torch.nn.parameter.Buffer", "torch.storage.TypedStorage", "torch._C.TensorBase",
    "torch._C._TensorBase", "torch._C.StorageBase",
  ]
}
