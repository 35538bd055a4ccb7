/// The datasets of an HDF5 file as tensors, the groups' names joined to theirs by dots.
public final class HDF5Checkpoint: Checkpoint {
  public let container = ContainerKind.hdf5
  public let tensors: [TensorInfo]
  public let metadata: CheckpointMetadata
  public let notes: [String]
  private let file: InputFile
  let structure: HDF5File
  let datasets: [HDF5Dataset]

  public var path: String { file.path }
  public var fileSize: Int { file.sizeOnDisk }
  public var compression: Compression? { file.source?.compression }

  /// Reads and checks everything but the tensors' bytes.
  ///
  /// - Throws: `FormatError` with code `hdf5Error`, `forbiddenHDF5Feature`, `unsupportedType`,
  ///   `duplicateName`, `expansionLimit` or another of the structure's.
  init(_ file: InputFile, options: CheckpointOptions = CheckpointOptions()) throws {
    self.file = file
    let (structure, catalogue) = try naming(file: file.path) {
      let structure = try HDF5File(file)
      let catalogue = try structure.catalogue()
      try Self.checkNames(catalogue.datasets)
      try Self.checkRanges(catalogue.datasets, structure.input)
      try Self.checkExpansion(catalogue.datasets, file, allowed: options.allowsExpansion)
      try Self.checkChunks(catalogue.datasets, file)
      return (structure, catalogue)
    }
    self.structure = structure
    datasets = catalogue.datasets
    tensors = datasets.map(\.info)
    metadata = catalogue.metadata
    notes = catalogue.notes
  }

  public func checkUnchanged() throws { try file.checkUnchanged() }

  public func reader(of index: Int) throws -> any TensorReader {
    try naming(file: file.path) {
      try naming(subject: tensors[index].name.text) { try makeReader(datasets[index]) }
    }
  }

  private func makeReader(_ dataset: HDF5Dataset) throws -> any TensorReader {
    guard dataset.info.byteCount > 0 else { return BytesReader([]) }
    let base: any TensorReader =
      switch dataset.storage {
      case .contiguous(let range):
        FileRangeReader(
          file,
          structure.input.base + range.lowerBound..<structure.input.base + range.upperBound)
      case .compact: BytesReader(try structure.compactBytes(of: dataset)[...])
      case .absent:
        RepeatingReader(
          try structure.fillElement(of: dataset), count: dataset.info.elementCount)
      case .chunked(let chunks): HDF5ChunkedReader(structure, dataset, chunks)
      }
    return dataset.swapUnit == 1 ? base : SwappingReader(base, unit: dataset.swapUnit)
  }

  private static func checkNames(_ datasets: [HDF5Dataset]) throws {
    var seen: Set<TensorName> = []
    for dataset in datasets where !seen.insert(dataset.info.name).inserted {
      throw FormatError(.duplicateName, subject: dataset.info.name)
    }
  }

  private static func checkRanges(_ datasets: [HDF5Dataset], _ input: HDF5Input) throws {
    for dataset in datasets {
      guard case .contiguous(let range) = dataset.storage, range.upperBound > input.size else {
        continue
      }
      throw FormatError(
        .truncated, offset: input.base + range.lowerBound, subject: dataset.info.name.text,
        expected: "\(range.count) bytes", found: "a file of \(input.size)")
    }
  }

  /// Each chunk is looked up, written or not, so that those of all datasets must fit the file.
  private static func checkChunks(_ datasets: [HDF5Dataset], _ file: InputFile) throws {
    let most = Budgets.hdf5FreeChunks + file.size / Budgets.hdf5BytesPerChunk
    var total = 0
    for dataset in datasets {
      let count = dataset.chunkCount
      guard count <= Budgets.hdf5Chunks, total + count <= most else {
        throw FormatError(
          .entryLimit, subject: dataset.info.name.text,
          expected: "at most \(min(Budgets.hdf5Chunks, most - total)) chunks", found: "\(count)")
      }
      total += count
    }
  }

  /// Fill values and compression may blow a file up, within reason.
  private static func checkExpansion(
    _ datasets: [HDF5Dataset], _ file: InputFile, allowed: Bool
  ) throws {
    guard !allowed else { return }
    let limit = Budgets.expansionLimit(of: file.sizeOnDisk, isLifted: false)
    var total = 0
    for dataset in datasets {
      let (sum, overflow) = total.addingReportingOverflow(dataset.cost)
      guard !overflow, sum <= limit else {
        throw FormatError(
          .expansionLimit, subject: dataset.info.name,
          expected: "at most \(limit) bytes of tensors",
          found: "\(overflow ? "more" : String(sum))")
      }
      total = sum
    }
  }
}

extension HDF5Dataset {
  /// Chunks that it takes to cover the dataset; the largest number when there are more.
  fileprivate var chunkCount: Int {
    guard case .chunked(let chunks) = storage else { return 0 }
    return zip(info.shape, chunks.shape).reduce(1) { count, extents in
      let along = extents.0 / extents.1 + (extents.0 % extents.1 > 0 ? 1 : 0)
      let (product, overflow) = count.multipliedReportingOverflow(by: along)
      return overflow ? .max : product
    }
  }

  /// Bytes that reading it makes us produce: a chunk is decoded whole, however much of it counts.
  fileprivate var cost: Int {
    guard case .chunked(let chunks) = storage, info.byteCount > 0 else { return info.byteCount }
    return max(info.byteCount, chunks.byteCount)
  }
}
