import Formats
import Networks
import Numerics
import Support
import Surgery

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A training that survives whatever stops it: a trainer, its batches, and a directory on disk.
public final class TrainingRun {
  public enum Outcome: Sendable, Equatable {
    case finished
    /// Asked to stop, with so many steps done and kept.
    case stopped(step: Int)
    /// There was nothing left to do.
    case nothingToDo
  }

  /// What validation gives of the model as it is; more is better.
  public typealias Validation = (SegmentAnything) throws -> Double

  public let steps: Int
  private let trainer: Trainer
  private let directory: RunDirectory
  private let source: any BatchSource
  private let validation: Validation?
  private let delta: TrainedDelta
  private var best: TrainingState.Best?

  /// - Parameters:
  ///   - blueprint: of the model that is trained.
  ///   - steps: in all.
  ///   - source: of batches.
  ///   - lessons: what the delta's metadata says besides what the model's does.
  public init(
    _ trainer: Trainer, _ blueprint: Blueprint, steps: Int, source: any BatchSource,
    directory: RunDirectory, lessons: [(key: ModelMetadata.Key, value: String)] = [],
    validation: Validation? = nil
  ) throws {
    self.trainer = trainer
    self.steps = steps
    self.directory = directory
    self.validation = validation
    self.source = source
    delta = try TrainedDelta(blueprint, trainer.model, lessons)
  }

  /// Begins the run, or continues it from its newest good checkpoint.
  ///
  /// - Parameters:
  ///   - observe: told of every step as it is logged.
  ///   - shouldStop: asked after every step.
  /// - Throws: what a step, reading or writing throws; the last checkpoint stays.
  public func run(
    observe: (TrainingLog.Entry) -> Void = { _ in }, shouldStop: () -> Bool = { false }
  ) throws -> Outcome {
    let start = try resume()
    guard start < steps else { return .nothingToDo }
    let configuration = trainer.configuration
    let events = try EventFile(directory.path + "/" + EventFile.name, keeping: start)
    let source = PrefetchingSource(self.source, end: batches(of: steps - 1).upperBound)
    for step in start..<steps {
      let clock = ContinuousClock.now
      let report = try trainer.step(step, batches: batches(of: step), from: source)
      let seconds = ContinuousClock.now - clock
      let (done, stops) = (step + 1, shouldStop())
      let isRegular = done.isMultiple(of: configuration.checkpointEvery) || done == steps
      // A run that is not stopped has no checkpoint elsewhere that could be the best.
      let validated = Result { try isRegular ? validation?(trainer.model) : nil }
      let score = try? validated.get()
      let entry = TrainingLog.Entry(report, seconds: seconds.inSeconds, validation: score)
      try directory.log.append(entry)
      try events.append(entry)
      observe(entry)
      if isRegular || stops {
        try save(done, score)
        try events.synchronize()
      }
      // What was trained is kept even where it cannot be measured.
      _ = try validated.get()
      if stops && done < steps { return .stopped(step: done) }
    }
    return .finished
  }

  private func batches(of step: Int) -> Range<Int> {
    source.batches(ofStep: step, accumulating: trainer.configuration.accumulate)
  }

  /// The number of steps that are done.
  private func resume() throws -> Int {
    guard let checkpoint = directory.newest else { return 0 }
    try trainer.restore(delta: checkpoint.delta(), state: checkpoint.optimiser())
    best = checkpoint.state.best
    return checkpoint.state.step
  }

  private func save(_ step: Int, _ score: Double?) throws {
    if let score, score > best?.value ?? -.infinity { best = .init(step: step, value: score) }
    let (epoch, position) = batches(of: step - 1).upperBound.quotientAndRemainder(
      dividingBy: source.batchesPerEpoch)
    try directory.save(
      CheckpointContent(
        delta: delta.content, optimiser: trainer.state,
        state: TrainingState(
          step: step, seed: trainer.configuration.seed, epoch: epoch, position: position,
          best: best)),
      keep: trainer.configuration.keep)
  }
}

/// What training changes of a model, as `wt extract` would take it out.
private struct TrainedDelta {
  let content: DeltaContent

  init(
    _ blueprint: Blueprint, _ model: SegmentAnything,
    _ lessons: [(key: ModelMetadata.Key, value: String)]
  ) throws {
    var plan = blueprint
    try ExtractDelta(and: Set(model.trained.map(\.name))).apply(to: &plan)
    let trained = Dictionary(model.trained.map { ($0.name, $0.variable.value) }) { first, _ in first
    }
    let kept = PlannedCheckpoint(plan, path: model.trained.first?.name.text ?? "")
    // What is frozen, such as the frequencies of the position encoding, stays as it was read.
    let tensors = try kept.tensors.enumerated().map { place, info in
      (info.name.text, try trained[info.name] ?? Tensor(reading: kept, place))
    }
    var metadata = ModelMetadata(plan.knownMetadata)
    for lesson in lessons { metadata[lesson.key] = lesson.value }
    content = DeltaContent(tensors: tensors, metadata: metadata.entries)
  }
}

extension TrainingLog.Entry {
  fileprivate init(_ report: Trainer.Report, seconds: Double, validation: Double?) {
    self.init(
      step: report.step, loss: report.loss, entropy: report.entropy, dice: report.dice,
      rate: report.rate, gradientNorm: report.gradientNorm, seconds: seconds,
      more: validation.map { [("validation_dice", .double($0))] } ?? [])
  }

  fileprivate var validation: Double? {
    guard case .double(let value)? = more.first(where: { $0.key == "validation_dice" })?.value
    else { return nil }
    return value
  }
}

extension EventFile {
  /// What TensorBoard draws of a step.
  fileprivate func append(_ entry: TrainingLog.Entry) throws {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    try append(
      step: entry.step, wallTime: Double(now.tv_sec) + Double(now.tv_nsec) * 1e-9,
      [
        ("loss/total", entry.loss), ("loss/cross_entropy", entry.entropy),
        ("loss/dice", entry.dice), ("learning_rate", entry.rate),
        ("gradient_norm", entry.gradientNorm),
      ] + (entry.validation.map { [("validation/dice", $0)] } ?? []))
  }
}
