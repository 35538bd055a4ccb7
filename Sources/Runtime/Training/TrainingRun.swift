import Formats
import Networks
import Numerics
import Support
import Surgery

/// A training that survives whatever stops it: a trainer, its batches, and a directory on disk.
public final class TrainingRun {
  /// How long it runs and what it keeps.
  public struct Plan: Sendable {
    /// Steps in all.
    public var steps: Int
    /// Steps between two checkpoints.
    public var interval: Int
    /// Checkpoints kept besides the best.
    public var kept: Int

    public init(steps: Int, interval: Int, kept: Int) {
      precondition(steps >= 0 && interval > 0 && kept > 0)
      (self.steps, self.interval, self.kept) = (steps, interval, kept)
    }
  }

  public enum Outcome: Sendable, Equatable {
    case finished
    /// Asked to stop, with so many steps done and kept.
    case stopped(step: Int)
    /// There was nothing left to do.
    case nothingToDo
  }

  public let trainer: Trainer
  public let directory: RunDirectory
  public let plan: Plan
  private let source: any BatchSource
  /// The model as a plan, of which the delta is made.
  private let blueprint: Blueprint
  /// What validation gives, more is better; nil without.
  private let validate: (() throws -> Double)?

  public init(
    _ trainer: Trainer, _ blueprint: Blueprint, source: any BatchSource,
    directory: RunDirectory, plan: Plan, validate: (() throws -> Double)? = nil
  ) {
    self.trainer = trainer
    self.blueprint = blueprint
    self.source = source
    self.directory = directory
    self.plan = plan
    self.validate = validate
  }

  /// Begins the run, or continues it from its newest good checkpoint.
  ///
  /// - Parameters:
  ///   - observe: told of every step and what it took in seconds.
  ///   - warn: told of damaged checkpoints.
  ///   - shouldStop: asked after every step.
  /// - Throws: what a step, reading or writing throws; the last checkpoint stays.
  public func run(
    observe: (Trainer.Report, Double) throws -> Void, warn: (String) -> Void,
    shouldStop: () -> Bool
  ) throws -> Outcome {
    let start = try resume(warn)
    let log = try RunLog(directory.logPath, keeping: start)
    guard start < plan.steps else { return .nothingToDo }
    for step in start..<plan.steps {
      let clock = ContinuousClock.now
      var part = step * trainer.settings.accumulation
      let report = try trainer.step(step) {
        defer { part += 1 }
        return try source.batch(step: part)
      }
      let seconds = (ContinuousClock.now - clock).seconds
      try log.append(report.line(seconds: seconds))
      try observe(report, seconds)
      let (done, stops) = (step + 1, shouldStop())
      if done.isMultiple(of: plan.interval) || done == plan.steps || stops {
        try log.synchronize()
        try save(done)
      }
      if stops && done < plan.steps { return .stopped(step: done) }
    }
    return .finished
  }

  /// The number of steps that are done.
  private func resume(_ warn: (String) -> Void) throws -> Int {
    guard let checkpoint = try directory.newest(warn: warn) else { return 0 }
    try trainer.restore(
      delta: openCheckpoint(checkpoint.path + "/" + Self.deltaName),
      state: openCheckpoint(checkpoint.path + "/" + Self.stateName))
    return checkpoint.step
  }

  private func save(_ step: Int) throws {
    let score = try validate?()
    let files = directory.fileSystem
    _ = try directory.save(
      step: step, score: score,
      [
        (Self.deltaName, { try self.writeDelta(to: $0, files) }),
        (Self.stateName, { try self.trainer.writeOptimiser(to: $0, files) }),
      ])
    try directory.prune(keeping: plan.kept)
  }

  static let deltaName = "delta.safetensors"
  static let stateName = "optimizer.safetensors"

  /// Writes what was trained, as `wt extract` would of the whole model.
  private func writeDelta(to path: String, _ fileSystem: any FileSystem) throws {
    var plan = blueprint
    let trained = trainer.model.trained
    let sources = trained.map { name, variable -> (TensorName, ReplaceTensors.Source) in
      let value = variable.value
      return (name, { FloatReader(value) })
    }
    try ReplaceTensors("trained", Dictionary(sources) { first, _ in first }).apply(to: &plan)
    try ExtractDelta(and: Set(trained.map(\.name))).apply(to: &plan)
    _ = try plan.write(to: path, overwrite: false, fileSystem: fileSystem)
  }
}

extension Trainer.Report {
  /// The step as a line of the log.
  func line(seconds: Double) -> String {
    JSON.object([
      ("step", .int(step)), ("loss", .double(loss)), ("loss_ce", .double(entropy)),
      ("loss_dice", .double(dice)), ("lr", .double(rate)), ("grad_norm", .double(gradientNorm)),
      ("seconds", .double(seconds)),
    ]).encoded()
  }
}

extension Duration {
  fileprivate var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }
}
