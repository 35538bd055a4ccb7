import Formats
import Support

/// The plan of an output checkpoint: what each tensor is and where its bytes come from.
///
/// Planning reads nothing but what describes tensors. Executing streams one tensor after another
/// into a writer, so that memory holds a piece of each tensor in work, whatever the model's size.
public struct Blueprint: Sendable {
  public struct Entry: Sendable {
    public var info: TensorInfo
    public var origin: Origin

    public init(info: TensorInfo, origin: Origin) {
      self.info = info
      self.origin = origin
    }
  }

  /// Where a tensor's bytes come from.
  public enum Origin: Sendable {
    /// Copied from a checkpoint.
    case stored(StoredTensor)
    /// Calculated from other tensors.
    case computed(Computation)
    /// Made from nothing: constant or random.
    case initialised(Initialisation)
  }

  public var entries: [Entry]
  public var metadata: CheckpointMetadata
  /// What a user should know of the plan though nothing is wrong with it.
  public var notes: [String] = []

  /// Finds the hash of the base while the plan is executed; `wt.base` is a placeholder until then.
  public var pendingBase: BaseDigest?

  /// Tensors whose numbers must be finite, at which is looked before anything appears.
  var finite: Set<TensorName> = []

  public init(entries: [Entry] = [], metadata: CheckpointMetadata = CheckpointMetadata()) {
    self.entries = entries
    self.metadata = metadata
  }

  /// Writes the planned checkpoint and reads it back.
  ///
  /// - Parameter reference: what is read back is held against.
  /// - Throws: `FormatError` or `SurgeryError`; nothing is left behind then.
  public func write(
    to target: String, format: OutputFormat = OutputFormat(), overwrite: Bool,
    reference: CheckpointWriter.Reference = .checksums,
    fileSystem: any FileSystem = POSIXFileSystem(), progress: @escaping ProgressHandler = { _ in }
  ) throws -> WriteSummary {
    // In an HDF5 file and in shards metadata is written before all tensors have been read.
    let isLate = format.container != .hdf5 && format.shardBytes == nil
    _ = try files(at: target, format: format, overwrite: overwrite)
    return try writer(
      format, isLate ? metadata : finalMetadata(), isLate: isLate, reference, fileSystem, progress
    ).write(
      to: target, overwrite: overwrite,
      validate: {
        try checkFinite()
        for source in sources { try source.checkUnchanged() }
      })
  }

  /// Checks that a format can hold the planned tensors, as a dry run should.
  ///
  /// - Throws: `FormatError` with a code of the format.
  public func check(_ format: OutputFormat) throws {
    try writer(format, metadata, isLate: false).check()
  }

  /// The files that writing to a target makes, checked as if they were written.
  ///
  /// - Throws: `FormatError` with code `outputExists` or `outputUnavailable`, the latter also for a
  ///   file that the plan reads.
  public func files(
    at target: String, format: OutputFormat, overwrite: Bool
  ) throws -> [String] {
    let files = try writer(format, metadata, isLate: false).files(at: target)
    let sources = sources
    for file in files {
      try AtomicFile.checkTarget(file, overwrite: overwrite)
      try AtomicFile.refuseInput(file, isInput: sources.contains { $0.isStored(at: file) })
    }
    return files
  }

  private func writer(
    _ format: OutputFormat, _ metadata: CheckpointMetadata, isLate: Bool,
    _ reference: CheckpointWriter.Reference = .checksums,
    _ fileSystem: any FileSystem = POSIXFileSystem(),
    _ progress: @escaping ProgressHandler = { _ in }
  ) -> CheckpointWriter {
    CheckpointWriter(
      entries.map(\.info), metadata: metadata, format: format, fileSystem: fileSystem,
      progress: progress, reference: reference, from: { try entries[$0].reader() },
      shared: entries.map(\.storagePlace),
      late: isLate ? pendingBase?.late(entries) { completed(metadata, $0) } : nil)
  }

  private func completed(_ metadata: CheckpointMetadata, _ hash: String?) -> CheckpointMetadata {
    var metadata = ModelMetadata(metadata)
    metadata[.base] = hash
    return metadata.entries
  }

  /// The metadata with the hash of the base, for which whatever was not read yet is read.
  ///
  /// - Throws: `SurgeryError` with code `wrongBase`, or what reading throws.
  public func finalMetadata() throws -> CheckpointMetadata {
    guard let pendingBase else { return metadata }
    return completed(metadata, try pendingBase.content())
  }

  /// The metadata without what only executing the plan finds out.
  public var knownMetadata: CheckpointMetadata {
    pendingBase == nil ? metadata : completed(metadata, nil)
  }

  /// Every checkpoint that something is read from, in the order of its first use.
  public var sources: [any Checkpoint] {
    var found: [any Checkpoint] = []
    var pending = entries.reversed().map { $0 }
    while let entry = pending.popLast() {
      switch entry.origin {
      case .stored(let tensor):
        if !found.contains(where: { $0.path == tensor.checkpoint.path }) {
          found.append(tensor.checkpoint)
        }
      case .computed(let computation): pending += computation.inputs.reversed()
      case .initialised: break
      }
    }
    return found
  }
}

extension Blueprint.Entry {
  /// Starts producing the tensor's bytes.
  func reader() throws -> any TensorReader {
    switch origin {
    case .stored(let tensor): try tensor.reader()
    case .computed(let computation): try computation.reader(for: info)
    case .initialised(let initialisation): initialisation.reader(for: info)
    }
  }

  /// All of the tensor's bytes; for tensors that are known to be small.
  func bytes() throws -> [UInt8] {
    let reader = try reader()
    return try [UInt8](unsafeUninitializedCapacity: info.byteCount) { buffer, initialized in
      initialized = try reader.read(into: UnsafeMutableRawBufferPointer(buffer))
    }
  }
}
