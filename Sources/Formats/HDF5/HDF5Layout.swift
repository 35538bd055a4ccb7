import CHDF5

/// Where everything of an uncompressed HDF5 file to be written will lie.
///
/// The library lays the file out in memory; of it remain the pages of the structure, and the
/// places of the tensors, which are then written like any file's. The same tensors so give the
/// same bytes, always, whatever their order.
public struct HDF5Layout: Sendable {
  /// For each tensor, in the order given, where its bytes begin in the file.
  public let offsets: [Int]
  /// The places in the given list, in the order in which a reader finds them.
  public let order: [Int]
  public let fileSize: Int
  /// The file's structure, page by page, with zeros where tensors share a page.
  private let structure: [(offset: Int, bytes: ArraySlice<UInt8>)]

  /// Lays out the tensors.
  ///
  /// - Throws: `FormatError` with code `unsupportedDtype`, `rankLimit`, `nameLimit`,
  ///   `duplicateName`, `badMetadata` or `duplicateKey`.
  public init(_ tensors: [TensorInfo], metadata: CheckpointMetadata) throws {
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

  /// Writes all but the tensors' bytes, which must come after.
  public func writeStructure(to output: AtomicFile) throws {
    // A tensor may end the file, so the last byte is written to give it its size.
    try [UInt8(0)].withUnsafeBytes { try output.write($0, at: fileSize - 1) }
    for page in structure {
      try page.bytes.withUnsafeBytes { try output.write($0, at: page.offset) }
    }
  }
}
