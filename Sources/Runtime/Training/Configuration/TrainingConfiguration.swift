import Numerics

/// Everything that decides what a training run calculates, but for the model and the data.
///
/// As it stands it is MA-SAM's published recipe; options of `wt train` and the keys of a
/// configuration file have the same names.
public struct TrainingConfiguration: Sendable, Equatable {
  public enum OptimiserKind: String, Sendable, CaseIterable {
    case adamW = "adamw"
    case sgd
  }

  public enum AugmentationKind: String, Sendable, CaseIterable { case masam, none }

  public enum PromptKind: String, Sendable, CaseIterable {
    /// Boxes where fixed batches hold them, and nothing else.
    case auto
    case none
    /// One box around the foreground of a whole volume.
    case box3d
  }

  // How long; at most one of steps and epochs, and of the two lengths of the schedule.
  public var steps: Int?
  public var epochs: Int? = 300
  public var maxSteps: Int?
  public var maxEpochs: Int? = 400
  public var batchSize = 3
  /// Batches whose gradients are averaged for one step.
  public var accumulate = 1

  public var optimiser = OptimiserKind.adamW
  public var rate = 8e-4
  public var warmup = 250
  public var exponent = 7.0
  public var weightDecay = 0.1
  public var decaysVectors = true
  public var firstBeta = 0.9
  public var secondBeta = 0.999
  public var epsilon = 1e-8
  public var momentum = 0.9
  /// The most that the norm of all gradients may be; nil for no bound.
  public var clipNorm: Double?

  public var entropyWeight = 0.2
  public var diceWeight = 0.8
  public var factorDropout = 0.1
  public var augmentation = AugmentationKind.masam
  public var prompt = PromptKind.auto
  /// What is added on every side of a box, as a part of its extent.
  public var boxRelaxation = 0.05
  /// The most that each side of a box is moved at random, as a part of its extent.
  public var boxJitter = 0.05
  public var seed: UInt64 = 1234
  public var precision = Precision.float32

  /// Regular expressions of names that are trained besides, or instead, of what is by default.
  public var trainPatterns: [String] = []
  /// Regular expressions of names that are not trained.
  public var freezePatterns: [String] = []

  /// Steps from one checkpoint to the next.
  public var checkpointEvery = 100
  /// Checkpoints that are kept besides the best.
  public var keep = 3

  public init() {}

  public var loss: SegmentationLoss {
    SegmentationLoss(entropyWeight: entropyWeight, diceWeight: diceWeight)
  }

  public func makeOptimiser() -> any Optimiser {
    let decay = WeightDecay(rate: weightDecay, includesVectors: decaysVectors)
    return switch optimiser {
    case .adamW:
      AdamW(decay: decay, betas: (firstBeta, secondBeta), epsilon: epsilon)
    case .sgd: StochasticGradientDescent(decay: decay, momentum: momentum)
    }
  }

  /// How many steps a run has and what its schedule is.
  ///
  /// - Parameter batches: of an epoch; the last step of an epoch may have fewer than it accumulates.
  public func plan(batches: Int) -> (steps: Int, schedule: LearningRateSchedule) {
    let perEpoch = max(1, (batches + accumulate - 1) / accumulate)
    let total = steps ?? (epochs ?? 1) * perEpoch
    let length = maxSteps ?? maxEpochs.map { $0 * perEpoch } ?? total
    return (
      total,
      LearningRateSchedule(base: rate, warmup: warmup, length: length, exponent: exponent)
    )
  }
}
