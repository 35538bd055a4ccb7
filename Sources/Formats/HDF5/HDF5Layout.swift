import CHDF5

/// Where everything of an uncompressed HDF5 file to be written will lie.
///
/// The library lays the file out in memory; of it remain the pages of the structure, and the
/// places of the tensors, which are then written like any file's. The same tensors so give the
/// same bytes, always, whatever their order.
struct HDF5Layout: FileLayout {
  /// For each tensor, in the order given, where its bytes begin in the file.
  let offsets: [Int]
  /// The places in the given list, in the order in which a reader finds them.
  let order: [Int]
  let fileSize: Int
  /// The file's structure, page by page, with zeros where tensors share a page.
  private let structure: [(offset: Int, bytes: ArraySlice<UInt8>)]

  /// Lays out the tensors.
  ///
  /// - Throws: `FormatError` with code `unsupportedDtype`, `rankLimit`, `nameLimit`,
  ///   `duplicateName`, `badMetadata` or `duplicateKey`.
  init(_ tensors: [TensorInfo], metadata: CheckpointMetadata) throws {
    let names = try HDF5Names(tensors)
    for tensor in tensors { try Self.check(tensor) }
    let sketch = HDF5Sketch()
    var places = [Int](repeating: 0, count: tensors.count)
    try HDF5Library.run {
      let driverFile = HDF5DriverFile(sketch)
      let builder = try HDF5Builder(driverFile)
      do {
        try builder.add(metadata)
        for index in names.order {
          places[index] = try builder.addDataset(tensors[index], path: names.paths[index], nil)
        }
      } catch {
        try? builder.close()
        throw error
      }
      try builder.close()
    }
    offsets = places
    order = names.order
    fileSize = sketch.size
    structure = sketch.written
  }

  /// Checks that HDF5 can hold the tensor.
  ///
  /// - Throws: `FormatError` with code `unsupportedDtype` or `rankLimit`.
  static func check(_ tensor: TensorInfo) throws {
    try HDF5StoredType.check(tensor)
    guard tensor.shape.count <= Budgets.hdf5Rank else {
      throw FormatError(
        .rankLimit, subject: tensor.name, expected: "at most \(Budgets.hdf5Rank) dimensions",
        found: "\(tensor.shape.count)")
    }
  }

  let needsChecksums = false

  func framing(_ checksums: [UInt32]) -> [FramingPiece] {
    // A tensor may end the file, so the last byte is written to give it its size.
    [FramingPiece(offset: fileSize - 1, bytes: [0])]
      + structure.map { FramingPiece(offset: $0.offset, bytes: Array($0.bytes)) }
  }
}
