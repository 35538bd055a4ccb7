import Formats
import Support

/// The plan of an output checkpoint: what each tensor is and where its bytes come from.
public struct Blueprint: Sendable {
  public struct Entry: Sendable {
    public var info: TensorInfo
    public var origin: Origin
  }

  /// Where a tensor's bytes come from.
  public enum Origin: Sendable {
    /// Copied from the source checkpoint; all of the places hold the same bytes.
    case stored(places: [Int])
  }

  public var entries: [Entry]
  public var metadata: CheckpointMetadata

  /// Writes the planned checkpoint, one chunk of each tensor at a time.
  ///
  /// - Throws: `FormatError`; nothing is left behind then.
  public func write(
    from source: any Checkpoint, to target: String, format: OutputFormat = OutputFormat(),
    overwrite: Bool, progress: @escaping ProgressHandler = { _ in }
  ) throws -> WriteSummary {
    do {
      let writer = CheckpointWriter(
        entries.map(\.info), metadata: metadata, format: format, progress: progress,
        from: { index in
          switch entries[index].origin {
          case .stored(let places): return try source.reader(of: places[0])
          }
        })
      return try writer.write(
        to: target, overwrite: overwrite, validate: { try source.checkUnchanged() })
    } catch var error as FormatError where error.file == nil {
      error.file = source.path
      throw error
    }
  }
}
