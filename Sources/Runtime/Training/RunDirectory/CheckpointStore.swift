import Formats
import Numerics
import Support

/// The checkpoints of a run: `step-00000020` holds what there was after 20 steps.
///
/// Nothing points to the newest: it is the one of the highest step whose every file is as its
/// manifest says.
struct CheckpointStore {
  static let delta = "delta.safetensors"
  static let optimiser = "optimizer.safetensors"
  static let state = "state.json"
  private static let files = [delta, optimiser, state]
  private static let prefix = "step-"

  let directory: String
  /// Of the run's configuration.
  let configuration: String
  let version: String
  let fileSystem: any FileSystem

  func path(_ step: Int) -> String {
    let digits = "\(step)"
    let zeros = String(repeating: "0", count: max(0, 8 - digits.count))
    return "\(directory)/\(Self.prefix)\(zeros)\(digits)"
  }

  /// The steps of which there are directories, the least first.
  func steps() throws -> [Int] {
    try entries(of: directory, fileSystem: fileSystem).compactMap { name in
      guard name.hasPrefix(Self.prefix), let step = Int(name.dropFirst(Self.prefix.count)),
        step >= 0, path(step) == "\(directory)/\(name)"
      else { return nil }
      return step
    }.sorted()
  }

  /// The newest checkpoint that is whole, and why newer ones are not.
  ///
  /// - Throws: `TrainingError` with code `noGoodCheckpoint` when there are some and none is whole.
  func newest() throws -> (found: StoredCheckpoint?, warnings: [String]) {
    var failures: [any Failure] = []
    for step in try steps().reversed() {
      do {
        let checkpoint = try verified(step)
        return (checkpoint, Self.warnings(failures, checkpoint.path))
      } catch let failure as any Failure {
        failures.append(failure)
      }
    }
    guard let first = failures.first else { return (nil, []) }
    let more = failures.count > 1 ? "; and \(failures.count - 1) older ones are damaged too" : ""
    throw TrainingError(
      .noGoodCheckpoint, file: directory, found: "\(first)\(more)",
      remedy: "begin anew in another directory")
  }

  private static func warnings(_ failures: [any Failure], _ path: String) -> [String] {
    failures.map { "\($0); going on from \(lastComponent(of: path)) instead" }
  }

  private func verified(_ step: Int) throws -> StoredCheckpoint {
    let path = path(step)
    let manifest = try CheckpointManifest(in: path, fileSystem: fileSystem)
    let file = "\(path)/\(CheckpointManifest.name)"
    guard manifest.step == step, manifest.configuration == configuration else {
      throw FormatError(
        .badMetadata, file: file, expected: "step \(step) of this run",
        found: "step \(manifest.step)")
    }
    try manifest.verify(Self.files, in: path, fileSystem: fileSystem)
    let state = try self.state(path)
    guard state.step == step else {
      throw FormatError(
        .badMetadata, file: "\(path)/\(Self.state)", subject: "step", expected: "\(step)",
        found: "\(state.step)")
    }
    return StoredCheckpoint(path: path, state: state, fileSystem: fileSystem)
  }

  private func state(_ path: String) throws -> TrainingState {
    let file = try InputFile("\(path)/\(Self.state)", fileSystem: fileSystem)
    do {
      return try TrainingState(file.bytes(0..<file.size))
    } catch var error as FormatError {
      error.file = file.path
      throw error
    }
  }

  /// Writes a checkpoint that appears complete and durable, or not at all.
  func write(_ content: CheckpointContent) throws -> StoredCheckpoint {
    let target = path(content.state.step)
    let output = try AtomicDirectory(target: target, fileSystem: fileSystem)
    _ = try content.delta.write(to: "\(output.path)/\(Self.delta)", fileSystem)
    _ = try OptimiserState.write(
      content.optimiser, to: "\(output.path)/\(Self.optimiser)", metadata: CheckpointMetadata(),
      fileSystem: fileSystem)
    try AtomicFile.write(
      content.state.text, to: "\(output.path)/\(Self.state)", overwrite: false,
      fileSystem: fileSystem)
    let manifest = try CheckpointManifest(
      step: content.state.step, configuration: configuration, version: version,
      names: Self.files, in: output.path, fileSystem: fileSystem)
    try AtomicFile.write(
      manifest.text, to: "\(output.path)/\(CheckpointManifest.name)", overwrite: false,
      fileSystem: fileSystem)
    try output.commit()
    return StoredCheckpoint(path: target, state: content.state, fileSystem: fileSystem)
  }

  /// Removes what is not to be kept once a newer checkpoint is safe.
  ///
  /// Those of later steps were found damaged when the run went on from an earlier one.
  func prune(after state: TrainingState, keep: Int) throws {
    let steps = try steps()
    let newest = steps.filter { $0 <= state.step }.suffix(keep)
    for step in steps where !newest.contains(step) && step != state.best?.step {
      try AtomicDirectory.remove(path(step), fileSystem: fileSystem)
    }
  }
}

/// A checkpoint on the disk that was found whole.
public struct StoredCheckpoint: Sendable {
  public let path: String
  public let state: TrainingState
  let fileSystem: any FileSystem

  /// Where the trained tensors are.
  public var deltaPath: String { "\(path)/\(CheckpointStore.delta)" }

  /// The trained tensors.
  public func delta() throws -> any Checkpoint {
    try SafeTensorsFile(path: deltaPath, fileSystem: fileSystem)
  }

  /// The optimiser's state, for `Optimiser.restore`.
  public func optimiser() throws -> any Checkpoint {
    try SafeTensorsFile(path: "\(path)/\(CheckpointStore.optimiser)", fileSystem: fileSystem)
  }
}

/// What a checkpoint is made of.
public struct CheckpointContent: Sendable {
  public var delta: DeltaContent
  public var optimiser: [OptimiserEntry]
  public var state: TrainingState

  public init(delta: DeltaContent, optimiser: [OptimiserEntry], state: TrainingState) {
    self.delta = delta
    self.optimiser = optimiser
    self.state = state
  }
}

/// The trained tensors and what the file says of the model.
public struct DeltaContent: Sendable {
  public var tensors: [(name: String, tensor: Tensor)]
  public var metadata: CheckpointMetadata

  public init(
    tensors: [(name: String, tensor: Tensor)], metadata: CheckpointMetadata = CheckpointMetadata()
  ) {
    self.tensors = tensors
    self.metadata = metadata
  }

  func write(to path: String, _ fileSystem: any FileSystem) throws -> WriteSummary {
    let infos = try tensors.map {
      try TensorInfo(name: TensorName($0.name), dtype: .float32, shape: $0.tensor.shape)
    }
    let tensors = tensors
    return try CheckpointWriter(
      infos, metadata: metadata, fileSystem: fileSystem,
      from: { TensorBytes(tensors[$0].tensor) }
    ).write(to: path, overwrite: false)
  }
}
