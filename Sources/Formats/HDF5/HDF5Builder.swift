import CHDF5

/// Creates a file's structure; used within `HDF5Library.run`.
///
/// Nothing that is written depends on the clock, so that the same tensors give the same bytes.
struct HDF5Builder {
  let file: hid_t

  /// Creates a file in the storage.
  init(_ driverFile: HDF5DriverFile) throws {
    let access = try HDF5Driver.accessList(driverFile)
    defer { HDF5Library.close(access) }
    file = try HDF5Library.check(
      H5Fcreate("output", wt_H5F_ACC_TRUNC, wt_H5P_DEFAULT, access), "create the file")
  }

  /// Completes the file; the handle is gone even when that fails.
  func close() throws { try HDF5Library.check(H5Fclose(file), "close the file") }

  /// Attaches the metadata to the root group, sorted by their keys.
  ///
  /// - Throws: `FormatError` with code `badMetadata` or `duplicateKey`.
  func add(_ metadata: CheckpointMetadata) throws {
    let entries = metadata.entries.sorted { TensorName($0.key) < TensorName($1.key) }
    for (first, second) in zip(entries, entries.dropFirst())
    where TensorName(first.key) == TensorName(second.key) {
      throw FormatError(.duplicateKey, subject: first.key)
    }
    guard entries.count <= Budgets.hdf5Attributes else {
      throw FormatError(
        .badMetadata, expected: "at most \(Budgets.hdf5Attributes) entries",
        found: "\(entries.count)")
    }
    let type = try HDF5Library.check(H5Tcopy(wt_H5T_C_S1()), "make a type")
    defer { HDF5Library.close(type) }
    try HDF5Library.check(H5Tset_size(type, wt_H5T_VARIABLE()), "make a type")
    try HDF5Library.check(H5Tset_cset(type, H5T_CSET_UTF8), "make a type")
    for entry in entries { try add(entry, type) }
  }

  private func add(_ entry: CheckpointMetadata.Entry, _ type: hid_t) throws {
    guard !entry.key.isEmpty, entry.key.utf8.count < 1 << 16, !entry.key.utf8.contains(0),
      !entry.value.utf8.contains(0), entry.value.utf8.count <= Budgets.hdf5AttributeBytes
    else {
      throw FormatError(
        .badMetadata, subject: entry.key,
        expected: "a key, and text without a zero of at most \(Budgets.hdf5AttributeBytes) bytes")
    }
    try withAttribute(of: file, named: entry.key, type) { attribute in
      try entry.value.withCString { text in
        var text: UnsafePointer<CChar>? = text
        try HDF5Library.check(H5Awrite(attribute, type, &text), "write an attribute")
      }
    }
  }

  private func withAttribute(
    of object: hid_t, named name: String, _ type: hid_t, _ body: (hid_t) throws -> Void
  ) throws {
    let space = try HDF5Library.check(H5Screate(H5S_SCALAR), "make a shape")
    defer { HDF5Library.close(space) }
    let attribute = try HDF5Library.check(
      H5Acreate2(object, name, type, space, wt_H5P_DEFAULT, wt_H5P_DEFAULT),
      "create an attribute")
    defer { HDF5Library.close(attribute) }
    try body(attribute)
  }

  /// Creates a tensor's dataset and the groups on its path.
  ///
  /// - Returns: where a dataset without chunks has its bytes, which are not written yet.
  func addDataset(
    _ tensor: TensorInfo, path: String, _ plan: HDF5ChunkPlan?
  ) throws -> Int {
    let type = try HDF5StoredType.make(tensor.dtype)
    defer { HDF5Library.close(type) }
    let space = try shape(tensor)
    defer { HDF5Library.close(space) }
    let links = try HDF5Library.check(H5Pcreate(wt_H5P_LINK_CREATE()), "make a list")
    defer { HDF5Library.close(links) }
    try HDF5Library.check(H5Pset_create_intermediate_group(links, 1), "set a list")
    try HDF5Library.check(H5Pset_char_encoding(links, H5T_CSET_UTF8), "set a list")
    let creation = try HDF5Library.check(H5Pcreate(wt_H5P_DATASET_CREATE()), "make a list")
    defer { HDF5Library.close(creation) }
    try set(creation, plan)
    let dataset = try HDF5Library.check(
      H5Dcreate2(file, path, type, space, links, creation, wt_H5P_DEFAULT), "create a dataset")
    defer { HDF5Library.close(dataset) }
    if HDF5ElementType.rawBits(of: tensor.dtype) != nil { try tell(tensor.dtype, dataset) }
    guard plan == nil, tensor.byteCount > 0 else { return 0 }
    guard let offset = Int(exactly: H5Dget_offset(dataset)) else {
      throw HDF5Library.failure("place a dataset")
    }
    return offset
  }

  private func shape(_ tensor: TensorInfo) throws -> hid_t {
    if tensor.shape.isEmpty {
      return try HDF5Library.check(H5Screate(H5S_SCALAR), "make a shape")
    }
    let extents = tensor.shape.map { hsize_t($0) }
    return try HDF5Library.check(
      H5Screate_simple(Int32(extents.count), extents, nil), "make a shape")
  }

  private func set(_ creation: hid_t, _ plan: HDF5ChunkPlan?) throws {
    try HDF5Library.check(H5Pset_obj_track_times(creation, false), "set a list")
    try HDF5Library.check(H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER), "set a list")
    guard let plan else {
      try HDF5Library.check(H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY), "set a list")
      return
    }
    let extents = plan.shape.map { hsize_t($0) }
    try HDF5Library.check(H5Pset_chunk(creation, Int32(extents.count), extents), "set a list")
    if plan.shuffles { try HDF5Library.check(H5Pset_shuffle(creation), "set a list") }
    switch plan.compression {
    case .none: break
    case .gzip(let level):
      try HDF5Library.check(H5Pset_deflate(creation, UInt32(level)), "set a list")
    case .zstd(let level):
      // Optional, as h5py marks every filter: the library need not know it to write the chunks.
      try HDF5Library.check(
        H5Pset_filter(
          creation, HDF5Filter.zstdIdentifier, UInt32(H5Z_FLAG_OPTIONAL), 1, [UInt32(level)]),
        "set a list")
    }
  }

  private func tell(_ dtype: DType, _ dataset: hid_t) throws {
    let type = try HDF5Library.check(H5Tcopy(wt_H5T_C_S1()), "make a type")
    defer { HDF5Library.close(type) }
    try HDF5Library.check(H5Tset_size(type, dtype.rawValue.utf8.count), "make a type")
    try HDF5Library.check(H5Tset_strpad(type, H5T_STR_NULLPAD), "make a type")
    try withAttribute(of: dataset, named: HDF5Attributes.dtypeName, type) { attribute in
      try HDF5Library.check(
        H5Awrite(attribute, type, Array(dtype.rawValue.utf8)), "write an attribute")
    }
  }
}
