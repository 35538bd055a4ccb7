import Formats

extension Volume {
  /// A NIfTI file, whose slices are looked at before room is made for its voxels.
  ///
  /// - Throws: `FormatError`, or `DatasetError` with code `faultySource`.
  init(plane path: String) throws {
    let file = try NIfTIFile(path)
    try PlaneLimit.check(width: file.shape[0], height: file.shape[1], path)
    self = try file.volume()
  }

  /// An array [Z, H, W] of a numpy or HDF5 file, as SAMed and TransUNet keep volumes.
  ///
  /// - Parameter name: of the array; a file of one array may call it anything.
  /// - Throws: `FormatError`, or `DatasetError` with code `faultySource`.
  init(array name: String, of path: String) throws {
    var options = CheckpointOptions()
    options.allowsExpansion = true
    let file = try openCheckpoint(path, options: options)
    let place = file.index(of: TensorName(name)) ?? (file.tensors.count == 1 ? 0 : nil)
    guard let place else {
      throw DatasetError(
        .faultySource, file: path, subject: name, expected: "an array of this name", found: "none")
    }
    let info = file.tensors[place]
    guard info.shape.count == 3, info.shape.allSatisfy({ $0 > 0 }), !info.dtype.isComplex,
      let decoder = ElementDecoder(info.dtype),
      info.byteCount <= Budgets.materialisedBytes / Self.growth(info.dtype)
    else {
      throw DatasetError(
        .faultySource, file: path, subject: name,
        expected: "real numbers of shape [slices, height, width]",
        found: "\(info.dtype.rawValue) \(info.shape)")
    }
    try PlaneLimit.check(width: info.shape[2], height: info.shape[1], path)
    let bytes = try file.bytes(of: place)
    guard bytes.count == info.byteCount else {
      throw FormatError(.truncated, file: path, subject: name)
    }
    let (dtype, voxels) = Self.storable(bytes, decoder)
    // Row by row with the last index fastest: x, y and z.
    self.init(path: path, shape: info.shape.reversed(), dtype: dtype, voxels: voxels)
  }

  /// How many times its size an array may become.
  private static func growth(_ dtype: DType) -> Int { NIfTIDatatype(dtype) == nil ? 4 : 1 }

  /// Numbers in a type that NIfTI knows: booleans as bytes, small floats as those of 32 bits, which
  /// hold every one of them.
  private static func storable(_ bytes: [UInt8], _ decoder: ElementDecoder) -> (DType, [UInt8]) {
    if NIfTIDatatype(decoder.dtype) != nil { return (decoder.dtype, bytes) }
    if decoder.dtype == .bool { return (.uint8, bytes.map { $0 == 0 ? 0 : 1 }) }
    var floats: [Float] = []
    floats.reserveCapacity(bytes.count / (decoder.dtype.byteWidth ?? 1))
    bytes.withUnsafeBytes { decoder.forEach($0) { floats.append(Float($0)) } }
    return (.float32, Datasets.bytes(of: floats))
  }
}
