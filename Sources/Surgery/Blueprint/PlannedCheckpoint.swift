import Formats

/// A planned checkpoint that can be read as if it had been written.
///
/// So everything that works on checkpoints (comparing, hashing, loading into a runtime) works on
/// models that exist as a plan only.
public struct PlannedCheckpoint: Checkpoint {
  public let path: String
  public let container = ContainerKind.safeTensors
  public let metadata: CheckpointMetadata
  public let notes: [String]
  public let tensors: [TensorInfo]
  private let blueprint: Blueprint

  /// - Parameter path: what errors call it.
  public init(_ blueprint: Blueprint, path: String) {
    self.blueprint = blueprint
    self.path = path
    metadata = blueprint.knownMetadata
    notes = blueprint.notes
    tensors = blueprint.entries.map(\.info)
  }

  /// The bytes of the tensors, as there is no file.
  public var fileSize: Int { totalByteCount }

  public func reader(of index: Int) throws -> any TensorReader {
    try blueprint.entries[index].reader()
  }

  public func mapped(_ index: Int) throws -> MappedBytes? {
    guard case .stored(let tensor) = blueprint.entries[index].origin else { return nil }
    return try tensor.checkpoint.mapped(tensor.places[0])
  }

  public func checkUnchanged() throws {
    for source in blueprint.sources { try source.checkUnchanged() }
  }
}
