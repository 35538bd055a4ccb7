import CHDF5

/// Reads what a dataset says of itself, and refuses what is no plain tensor.
struct HDF5Description {
  private let dataset: hid_t
  private let creation: hid_t
  private let type: HDF5ElementType
  private let info: TensorInfo

  /// Describes an open dataset.
  ///
  /// - Throws: `FormatError` with code `forbiddenHDF5Feature`, `unsupportedType`,
  ///   `storageSizeMismatch`, `rankLimit`, `overflow` or `hdf5Error`.
  static func dataset(
    _ dataset: hid_t, name: TensorName, address: UInt64, attributes: HDF5Attributes
  ) throws -> HDF5Dataset {
    let creation = try HDF5Library.check(H5Dget_create_plist(dataset), "read a dataset's layout")
    defer { HDF5Library.close(creation) }
    let type = try elementType(dataset)
    let dtype = try attributes.storedDType(of: dataset, as: type.dtype) ?? type.dtype
    let info = try TensorInfo(name: name, dtype: dtype, shape: try shape(dataset))
    let description = HDF5Description(
      dataset: dataset, creation: creation, type: type, info: info)
    return HDF5Dataset(
      info: info, address: address, swapUnit: type.isBigEndian ? type.dtype.swapUnit : 1,
      storage: try description.storage())
  }

  private static func elementType(_ dataset: hid_t) throws -> HDF5ElementType {
    let type = try HDF5Library.check(H5Dget_type(dataset), "read a dataset's type")
    defer { HDF5Library.close(type) }
    return try HDF5ElementType(type)
  }

  private static func shape(_ dataset: hid_t) throws -> [Int] {
    let space = try HDF5Library.check(H5Dget_space(dataset), "read a dataset's shape")
    defer { HDF5Library.close(space) }
    let kind = H5Sget_simple_extent_type(space)
    guard kind == H5S_SIMPLE || kind == H5S_SCALAR else {
      throw FormatError(.unsupportedType, found: "a dataset without a shape")
    }
    let rank = Int(H5Sget_simple_extent_ndims(space))
    guard (0...Budgets.hdf5Rank).contains(rank) else {
      throw FormatError(
        .rankLimit, expected: "at most \(Budgets.hdf5Rank) dimensions", found: "\(rank)")
    }
    var extents = [hsize_t](repeating: 0, count: Budgets.hdf5Rank)
    try HDF5Library.check(
      H5Sget_simple_extent_dims(space, &extents, nil), "read a dataset's shape")
    return try extents.prefix(rank).map { extent in
      guard let extent = Int(exactly: extent) else {
        throw FormatError(.overflow, expected: "an extent below 2^63", found: "\(extent)")
      }
      return extent
    }
  }

  private func storage() throws -> HDF5Dataset.Storage {
    switch H5Pget_layout(creation) {
    case H5D_COMPACT:
      try expectStored(info.byteCount)
      return .compact
    case H5D_CONTIGUOUS: return try contiguous()
    case H5D_CHUNKED:
      let chunks = try chunks()
      // To look each of a million up that was never written would take seconds.
      return try storedChunkCount() > 0 ? .chunked(chunks) : .absent
    case H5D_VIRTUAL: throw forbidden("a virtual dataset, which reads other files")
    default: throw FormatError(.hdf5Error, found: "an unknown layout")
    }
  }

  private func forbidden(_ found: String) -> FormatError {
    FormatError(.forbiddenHDF5Feature, found: found)
  }

  private func expectStored(_ count: Int) throws {
    let found = H5Dget_storage_size(dataset)
    guard found == hsize_t(count) else {
      throw FormatError(.storageSizeMismatch, expected: "\(count) bytes", found: "\(found)")
    }
  }

  private func contiguous() throws -> HDF5Dataset.Storage {
    guard try HDF5Library.check(H5Pget_external_count(creation), "read a dataset's layout") == 0
    else { throw forbidden("data in other files") }
    let offset = H5Dget_offset(dataset)
    guard offset != wt_HADDR_UNDEF(), info.byteCount > 0 else { return .absent }
    try expectStored(info.byteCount)
    let start = Int(exactly: offset) ?? .max
    let (end, overflow) = start.addingReportingOverflow(info.byteCount)
    guard !overflow else { throw FormatError(.hdf5Error, found: "data beyond the end of the file") }
    return .contiguous(start..<end)
  }

  private func chunks() throws -> HDF5Chunks {
    var extents = [hsize_t](repeating: 0, count: Budgets.hdf5Rank)
    let rank = try HDF5Library.check(
      H5Pget_chunk(creation, Int32(extents.count), &extents), "read a dataset's chunks")
    guard Int(rank) == info.shape.count, rank > 0 else {
      throw FormatError(.hdf5Error, found: "chunks of another rank than the dataset's")
    }
    let shape = extents.prefix(Int(rank)).map { Int(exactly: $0) ?? .max }
    let bytes = try chunkBytes(shape)
    var options: UInt32 = 0
    try HDF5Library.check(H5Pget_chunk_opts(creation, &options), "read a dataset's chunks")
    let chunks = HDF5Chunks(
      shape: shape, filters: try HDF5Filter.list(creation),
      filtersEdges: options & UInt32(H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS) == 0, byteCount: bytes)
    try checkRatio(chunks)
    return chunks
  }

  private func chunkBytes(_ shape: [Int]) throws -> Int {
    let chunk = try TensorInfo(name: info.name, dtype: info.dtype, shape: shape)
    guard (1...Budgets.hdf5ChunkBytes).contains(chunk.byteCount) else {
      throw FormatError(
        .expansionLimit, expected: "chunks of at most \(Budgets.hdf5ChunkBytes) bytes",
        found: "\(chunk.byteCount)")
    }
    return chunk.byteCount
  }

  private func storedChunkCount() throws -> hsize_t {
    var count: hsize_t = 0
    let space = try HDF5Library.check(H5Dget_space(dataset), "read a dataset's shape")
    defer { HDF5Library.close(space) }
    try HDF5Library.check(H5Dget_num_chunks(dataset, space, &count), "count a dataset's chunks")
    return count
  }

  /// Deflate cannot make chunks out of fewer bytes than its ratio allows.
  private func checkRatio(_ chunks: HDF5Chunks) throws {
    guard chunks.filters.contains(.deflate), !chunks.filters.contains(.zstd) else { return }
    let stored = H5Dget_storage_size(dataset)
    guard stored > 0 else { return }
    let count = try storedChunkCount()
    let (claimed, overflow) = count.multipliedReportingOverflow(by: hsize_t(chunks.byteCount))
    guard !overflow, claimed / hsize_t(Budgets.deflateRatio) <= stored else {
      throw FormatError(
        .storageSizeMismatch, expected: "chunks that inflate to \(claimed) bytes",
        found: "\(stored) bytes")
    }
  }
}

extension HDF5Filter {
  /// The filters of a creation list; the library is never asked to run one.
  ///
  /// - Throws: `FormatError` with code `forbiddenHDF5Feature` or `hdf5Error`.
  static func list(_ creation: hid_t) throws -> [HDF5Filter] {
    let count = try HDF5Library.check(H5Pget_nfilters(creation), "read a dataset's filters")
    guard count <= Budgets.hdf5Filters else {
      throw FormatError(
        .forbiddenHDF5Feature, expected: "at most \(Budgets.hdf5Filters) filters",
        found: "\(count)")
    }
    return try (0..<UInt32(count)).map { try HDF5Filter(creation, place: $0) }
  }

  private init(_ creation: hid_t, place: UInt32) throws {
    var (flags, configuration) = (UInt32(0), UInt32(0))
    var values = [UInt32](repeating: 0, count: 1)
    var count = values.count
    let identifier = H5Pget_filter2(
      creation, place, &flags, &count, &values, 0, nil, &configuration)
    switch try HDF5Library.check(identifier, "read a filter") {
    case H5Z_FILTER_DEFLATE: self = .deflate
    case H5Z_FILTER_SHUFFLE:
      guard count >= 1, values[0] > 0 else {
        throw FormatError(.hdf5Error, found: "a shuffle filter without an element size")
      }
      self = .shuffle(elementBytes: Int(values[0]))
    case H5Z_FILTER_FLETCHER32: self = .fletcher32
    case HDF5Filter.zstdIdentifier: self = .zstd
    default:
      throw FormatError(
        .forbiddenHDF5Feature, expected: "deflate, shuffle, fletcher32 or Zstandard",
        found: "the filter number \(identifier)",
        remedy: "save the file again with one of these")
    }
  }
}
