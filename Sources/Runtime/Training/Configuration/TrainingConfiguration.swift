import Numerics
import Support

/// Everything that decides what a training computes; paths are no part of it.
public struct TrainingConfiguration: Sendable, Equatable {
  public enum Optimiser: String, Sendable, CaseIterable, Codable { case adamw, sgd }

  /// How samples are changed at random.
  public enum Augmentation: String, Sendable, CaseIterable, Codable { case masam, none }

  /// What the model is told of where things are.
  public enum Prompt: String, Sendable, CaseIterable, Codable {
    case none
    /// A box around what is labelled, the same for all slices of a volume.
    case box3d
  }

  /// Steps in all; nil to count epochs.
  public var steps: Int?
  public var epochs: Int?
  /// The length of the schedule in steps or epochs; nil for the run's own.
  public var maxSteps: Int?
  public var maxEpochs: Int?
  public var batchSize = 1
  /// Batches whose gradients are averaged in a step.
  public var accumulate = 1
  public var optimiser = Optimiser.adamw
  public var learningRate = 8e-4
  public var warmup = 250
  public var exponent = 7.0
  public var weightDecay = 0.1
  /// Whether biases and the parameters of norms decay too, as published.
  public var decaysVectors = true
  public var momentum = 0.9
  public var entropyWeight = 0.2
  public var diceWeight = 0.8
  public var factDropout = 0.1
  public var augment = Augmentation.masam
  public var prompt = Prompt.none
  public var seed = 1234
  public var clipNorm: Double?
  public var precision = Precision.float32
  /// Regular expressions of names that are trained besides, and of names that are not.
  public var trainPatterns: [String] = []
  public var freezePatterns: [String] = []

  public init() {}

  /// The steps of a run and of its schedule.
  ///
  /// - Parameter epoch: steps that see every sample once.
  public func lengths(epoch: Int) -> (steps: Int, schedule: Int) {
    let steps = steps ?? (epochs ?? 300) * epoch
    let published = self.steps == nil && epochs == nil ? 400 * epoch : nil
    return (steps, max(1, maxSteps ?? maxEpochs.map { $0 * epoch } ?? published ?? steps))
  }

  /// - Throws: `TrainingError` with code `badConfiguration`.
  public func check() throws {
    try require("steps", steps ?? 1, "a whole number ≥ 0") { $0 >= 0 }
    try require("epochs", epochs ?? 1, "a whole number ≥ 0") { $0 >= 0 }
    try require("max-steps", maxSteps ?? 1, "a whole number ≥ 1") { $0 >= 1 }
    try require("max-epochs", maxEpochs ?? 1, "a whole number ≥ 1") { $0 >= 1 }
    try require("batch-size", batchSize, "a whole number ≥ 1") { $0 >= 1 }
    try require("accumulate", accumulate, "a whole number ≥ 1") { $0 >= 1 }
    try require("warmup", warmup, "a whole number ≥ 0") { $0 >= 0 }
    try require("seed", seed, "a whole number ≥ 0") { $0 >= 0 }
    try require("lr", learningRate, "a number above 0 and at most 10") { $0 > 0 && $0 <= 10 }
    try require("lr-exponent", exponent, "a number ≥ 0") { $0 >= 0 }
    try require("weight-decay", weightDecay, "a number ≥ 0") { $0 >= 0 }
    try require("momentum", momentum, "a number in [0, 1)") { $0 >= 0 && $0 < 1 }
    try require("ce-weight", entropyWeight, "a number ≥ 0") { $0 >= 0 }
    try require("dice-weight", diceWeight, "a number ≥ 0, and one weight above 0") {
      $0 >= 0 && $0 + entropyWeight > 0
    }
    try require("fact-dropout", factDropout, "a number in [0, 1)") { $0 >= 0 && $0 < 1 }
    try require("clip-norm", clipNorm ?? 1, "a number above 0") { $0 > 0 }
    for pattern in trainPatterns + freezePatterns { _ = try NamePattern(pattern) }
    guard steps == nil || epochs == nil else {
      throw TrainingError(
        .badConfiguration, expected: "a number of steps or of epochs", found: "both")
    }
  }

  private func require<Number>(
    _ name: String, _ value: Number, _ expected: String, _ holds: (Number) -> Bool
  ) throws {
    let isFinite = (value as? Double)?.isFinite ?? true
    guard isFinite, holds(value) else {
      throw TrainingError(
        .badConfiguration, subject: name, expected: expected, found: "\(value)")
    }
  }
}

/// A regular expression over the names of tensors.
struct NamePattern {
  private let expression: Regex<AnyRegexOutput>

  /// - Throws: `TrainingError` with code `badConfiguration`.
  init(_ text: String) throws {
    do {
      expression = try Regex(text)
    } catch {
      throw TrainingError(
        .badConfiguration, subject: text, expected: "a regular expression", found: "\(error)")
    }
  }

  func matches(_ name: String) -> Bool { name.firstMatch(of: expression) != nil }
}
