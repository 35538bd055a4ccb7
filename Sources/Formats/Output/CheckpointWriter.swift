import Support

/// What a finished output is.
public struct WriteSummary: Sendable, Equatable {
  /// The file to open: for a sharded output its index.
  public var path: String
  /// All files that were written.
  public var files: [String]
  public var byteCount: Int
  public var tensorCount: Int
  /// Whether so little is left of the tensors that reading them takes `--allow-expand`.
  public var isOutOfProportion = false
}

/// Gives the bytes of the tensor at a place of the list being written.
///
/// It is asked for each tensor to write it, and again to compare what was written if that is held
/// against the source. Calls come from several threads.
public typealias TensorSource = @Sendable (_ index: Int) throws -> any TensorReader

/// A checkpoint to be written, and how its progress is told.
public struct CheckpointWriter: Sendable {
  /// What a finished file is held against.
  public enum Reference: Sendable {
    /// The source, which is read again, but for tensors that are calculated.
    case source
    /// The CRC-32 of what was written, which costs a third less of reading.
    case checksums
  }

  let tensors: [TensorInfo]
  let metadata: CheckpointMetadata
  let format: OutputFormat
  let fileSystem: any FileSystem
  let progress: ProgressHandler
  let source: TensorSource
  let reference: Reference
  /// Where the bytes of tensors lie among others', which a torch archive keeps.
  let shared: [StoragePlace?]
  /// What replaces the metadata when the tensors were read.
  let late: LateMetadata?

  /// - Parameters:
  ///   - tensors: what to write, in any order; the file's own order is its format's.
  ///   - reference: what the finished file is held against.
  ///   - source: where each tensor's bytes come from.
  ///   - shared: for each tensor where its bytes lie among others', or nothing at all.
  ///   - late: what replaces the metadata in the end; only for a single file of a container whose
  ///     metadata can be written last, which HDF5's cannot.
  public init(
    _ tensors: [TensorInfo], metadata: CheckpointMetadata = CheckpointMetadata(),
    format: OutputFormat = OutputFormat(), fileSystem: any FileSystem = POSIXFileSystem(),
    progress: @escaping ProgressHandler = { _ in }, reference: Reference = .source,
    from source: @escaping TensorSource, shared: [StoragePlace?] = [],
    late: LateMetadata? = nil
  ) {
    precondition(late == nil || (format.container != .hdf5 && format.shardBytes == nil))
    self.tensors = tensors
    self.metadata = metadata
    self.format = format
    self.fileSystem = fileSystem
    self.progress = progress
    self.reference = reference
    self.shared = shared.isEmpty ? tensors.map { _ in nil } : shared
    self.source = source
    self.late = late
  }

  /// Writes everything to temporary files, reads it back, and lets it appear under its name only
  /// when every byte is as it should be.
  ///
  /// - Parameters:
  ///   - overwrite: whether existing files may be replaced.
  ///   - validate: called after everything was compared, before the files get their names.
  /// - Throws: `FormatError`; the target is then what it was before.
  public func write(
    to target: String, overwrite: Bool, validate: () throws -> Void = {}
  ) throws -> WriteSummary {
    if let shards = try shards(at: target) {
      return try write(shards, overwrite: overwrite, validate: validate)
    }
    let (output, plainByteCount) =
      try format.isCompressed
      ? compressed(to: target, overwrite: overwrite)
      : (plain(to: target, overwrite: overwrite), 0)
    try validate()
    try output.commit()
    let limit = Budgets.expansionLimit(of: output.byteCount, isLifted: false)
    return WriteSummary(
      path: target, files: [target], byteCount: output.byteCount, tensorCount: tensors.count,
      isOutOfProportion: max(totalByteCount, plainByteCount) > limit)
  }

  /// Checks that the format can hold these tensors, without reading or writing any.
  ///
  /// - Throws: `FormatError` with a code of the format.
  public func check() throws { _ = try layout(metadata) }

  var totalByteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }

  /// Fills a temporary file beside the target and compares what it holds.
  func plain(to target: String, overwrite: Bool) throws -> AtomicFile {
    let (output, checksums) = try filled(target, overwrite)
    try compare(with: InputFile(output.temporary, fileSystem: fileSystem), checksums)
    return output
  }

  private func filled(
    _ target: String, _ overwrite: Bool
  ) throws -> (AtomicFile, checksums: [Int: UInt32]) {
    guard format.container != .hdf5 || format.chunkCompression == .none else {
      let output = try AtomicFile(
        target: target, size: 0, overwrite: overwrite, fileSystem: fileSystem)
      let written = ProgressCounter("writing", total: totalByteCount, progress)
      let writer = try HDF5ChunkWriter(tensors, format, output, written)
      try writer.run(metadata, from: source)
      return (output, writer.calculated)
    }
    let layout = try layout(metadata)
    let output = try AtomicFile(
      target: target, size: layout.fileSize, overwrite: overwrite, fileSystem: fileSystem)
    return (output, try fill(output, layout))
  }

  func layout(_ metadata: CheckpointMetadata) throws -> any FileLayout {
    switch format.container {
    case .safeTensors: try SafeTensorsLayout(tensors, metadata: metadata)
    case .torch: try TorchLayout(tensors, metadata: metadata, shared: shared)
    case .hdf5: try HDF5Layout(tensors, metadata: metadata)
    }
  }
}
