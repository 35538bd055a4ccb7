import Formats
import Support

/// Turns a checkpoint of any dialect into one of canonical names.
public struct Import: Sendable {
  /// What may differ from the family without being an error, by whole name.
  public struct Leniency: Sendable {
    public var allowsMissing: @Sendable (TensorName) -> Bool
    public var allowsUnused: @Sendable (TensorName) -> Bool

    public init(
      allowsMissing: @escaping @Sendable (TensorName) -> Bool = { _ in false },
      allowsUnused: @escaping @Sendable (TensorName) -> Bool = { _ in false }
    ) {
      self.allowsMissing = allowsMissing
      self.allowsUnused = allowsUnused
    }
  }

  public let recognition: Recognition
  public let blueprint: Blueprint

  /// Recognises the checkpoint and plans the output.
  ///
  /// - Throws: `SurgeryError` with code `schemaMismatch`, `nameCollision` or `unknownFamily`.
  public init(
    _ source: any Checkpoint, as family: String? = nil, leniency: Leniency = Leniency(),
    toolVersion: String
  ) throws {
    do {
      recognition = try Recogniser().recognise(source, as: family)
      try Self.check(recognition, leniency)
      try Self.checkDuplicates(recognition, source)
      blueprint = try Self.plan(source, recognition, toolVersion)
    } catch var error as SurgeryError {
      error.file = error.file ?? source.path
      throw error
    }
  }

  private static func check(_ recognition: Recognition, _ leniency: Leniency) throws {
    var report = recognition.report
    guard recognition.manifest != nil else { return }
    report.missing.removeAll(where: leniency.allowsMissing)
    report.unused.removeAll(where: leniency.allowsUnused)
    guard report.isComplete else {
      throw SurgeryError(
        .schemaMismatch, expected: "the tensors of family '\(recognition.manifest?.family ?? "")'",
        found: report.summary,
        remedy:
          "'wt import' takes it with --allow-missing or --allow-unused REGEX, or keeps the file's "
          + "own names with --as none")
    }
  }

  /// Tensors stored twice must be the same, or one of them would be lost.
  private static func checkDuplicates(_ recognition: Recognition, _ source: any Checkpoint) throws {
    for (name, places) in recognition.sources where places.count > 1 {
      let first = try source.bytes(of: places[0])
      for place in places.dropFirst() {
        guard source.tensors[place].dtype == source.tensors[places[0]].dtype,
          try source.bytes(of: place) == first
        else {
          throw SurgeryError(
            .nameCollision, subject: source.tensors[place].name.text,
            expected: "the same bytes as '\(source.tensors[places[0]].name)'",
            found: "others, though both are '\(name)'")
        }
      }
    }
  }

  private static func plan(
    _ source: any Checkpoint, _ recognition: Recognition, _ toolVersion: String
  ) throws -> Blueprint {
    let entries = try recognition.sources.map { name, places in
      let info = source.tensors[places[0]]
      return Blueprint.Entry(
        info: try TensorInfo(name: name, dtype: info.dtype, shape: info.shape),
        origin: .stored(StoredTensor(checkpoint: source, places: places)))
    }
    var metadata = source.metadata
    metadata["format"] = "pt"
    metadata["wt.version"] = toolVersion
    if let manifest = recognition.manifest { metadata["wt.family"] = manifest.family }
    return Blueprint(entries: entries, metadata: metadata)
  }
}
