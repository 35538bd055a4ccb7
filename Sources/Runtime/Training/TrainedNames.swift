import Formats
import Networks
import Surgery

/// Which tensors of a model are trained: what MA-SAM trains, unless patterns say otherwise.
struct TrainedNames {
  private let model: Architecture
  private let added: [NamePattern]
  private let frozen: [NamePattern]

  /// - Throws: `TrainingError` with code `badConfiguration` for a pattern that is none.
  init(_ model: Architecture, _ configuration: TrainingConfiguration) throws {
    self.model = model
    added = try configuration.trainPatterns.map(NamePattern.init)
    frozen = try configuration.freezePatterns.map(NamePattern.init)
  }

  func contains(_ name: TensorName) -> Bool {
    let text = name.text
    if frozen.contains(where: { $0.matches(text) }) { return false }
    return ExtractDelta.isTrainable(name, model) || added.contains { $0.matches(text) }
  }
}

extension TrainingConfiguration {
  /// Loads a model so that it can be trained.
  ///
  /// - Parameter plan: of a model with all of its parts.
  /// - Throws: `TrainingError` when nothing of it would be trained; what loading throws.
  public func load(_ plan: Blueprint, path: String) throws -> SegmentAnything {
    let architecture = try Architecture(plan)
    guard !architecture.decoder.hasFactors else {
      throw TrainingError(
        .dataMismatch, file: path, expected: "a model without LoRA in its decoder",
        found: "one with it", remedy: "merge it first: wt merge-fact \(path)")
    }
    let names = try TrainedNames(architecture, self)
    let model = try SegmentAnything(
      plan, path: path, precision: precision, factors: .beside, trains: names.contains)
    guard !model.trained.isEmpty else {
      throw TrainingError(
        .badConfiguration, file: path, expected: "tensors to train",
        found: "patterns that leave none")
    }
    return model
  }
}

extension TrainingConfiguration {
  /// A trainer of a loaded model.
  ///
  /// - Parameter schedule: its length in steps.
  public func trainer(_ model: SegmentAnything, schedule: Int) -> Trainer {
    var settings = Trainer.Settings(
      schedule: LearningRateSchedule(
        base: learningRate, warmup: warmup, length: schedule, exponent: exponent),
      seed: UInt64(seed))
    settings.loss = SegmentationLoss(entropyWeight: entropyWeight, diceWeight: diceWeight)
    settings.dropout = Float(factDropout)
    settings.clipNorm = clipNorm
    settings.accumulation = accumulate
    let decay = WeightDecay(rate: weightDecay, includesVectors: decaysVectors)
    let optimiser: any Training.Optimiser =
      switch self.optimiser {
      case .adamw: AdamW(decay: decay)
      case .sgd: StochasticGradientDescent(decay: decay, momentum: momentum)
      }
    return Trainer(model, optimiser, settings)
  }
}
