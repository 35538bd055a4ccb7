import ArgumentParser
import Formats
import Networks
import Numerics
import Surgery
import Training

extension TrainingConfiguration.Optimiser: ExpressibleByArgument {}
extension TrainingConfiguration.Augmentation: ExpressibleByArgument {}
extension TrainingConfiguration.Prompt: ExpressibleByArgument {}

/// What `wt train` takes beside its model and data; options win over the configuration file.
struct TrainingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Options from a YAML file, or one of masam-btcv, masam-prostate, masam-endovis18, "
        + "masam-pancreas-box.", valueName: "file"), completion: .file(extensions: ["yaml"]))
  var config: String?
  @Option(
    help: ArgumentHelp(
      "Train on fixed batches, in their order, instead of DATA.", valueName: "file"),
    completion: .file(extensions: ["safetensors"]))
  var batches: String?
  @Option(help: ArgumentHelp("Steps in all.", valueName: "n")) var steps: Int?
  @Option(help: ArgumentHelp("Epochs in all (300).", valueName: "n")) var epochs: Int?
  @Option(help: ArgumentHelp("The schedule's length in steps.", valueName: "n")) var maxSteps: Int?
  @Option(help: ArgumentHelp("The schedule's length in epochs.", valueName: "n"))
  var maxEpochs: Int?
  @Option(help: ArgumentHelp("Stacks in a batch (1).", valueName: "n")) var batchSize: Int?
  @Option(help: ArgumentHelp("Batches whose gradients make a step (1).", valueName: "n"))
  var accumulate: Int?
  @Option(help: "What changes the parameters (adamw).")
  var optimiser: TrainingConfiguration.Optimiser?
  @Option(help: ArgumentHelp("The learning rate (8e-4).", valueName: "x")) var lr: Double?
  @Option(help: ArgumentHelp("Steps in which the rate rises (250).", valueName: "n"))
  var warmup: Int?
  @Option(help: ArgumentHelp("How steeply it falls (7).", valueName: "x")) var lrExponent: Double?
  @Option(help: ArgumentHelp("AdamW's decay (0.1).", valueName: "x")) var weightDecay: Double?
  @Option(
    help: ArgumentHelp(
      "Whether biases and norms decay too (true, as published).", valueName: "true|false"))
  var decayVectors: Bool?
  @Option(help: ArgumentHelp("The momentum of sgd (0.9).", valueName: "x")) var momentum: Double?
  @Option(help: ArgumentHelp("The weight of cross-entropy (0.2).", valueName: "x"))
  var ceWeight: Double?
  @Option(help: ArgumentHelp("The weight of soft Dice (0.8).", valueName: "x"))
  var diceWeight: Double?
  @Option(help: ArgumentHelp("The share of factors' activations dropped (0.1).", valueName: "x"))
  var factDropout: Double?
  @Option(help: "How samples of DATA are changed at random (masam).")
  var augment: TrainingConfiguration.Augmentation?
  @Option(help: "Whether the model is given a box around what is labelled (none).")
  var prompt: TrainingConfiguration.Prompt?
  @Option(help: ArgumentHelp("What all random numbers come from (1234).", valueName: "n"))
  var seed: Int?
  @Option(help: ArgumentHelp("The longest that a gradient may be.", valueName: "x"))
  var clipNorm: Double?
  @Option(help: "What the encoder's matrix products are calculated in (f32).")
  var precision: Precision?
  @Option(
    help: ArgumentHelp("Train tensors whose names match too; may be repeated.", valueName: "regex"))
  var trainPattern: [String] = []
  @Option(
    help: ArgumentHelp("Leave tensors whose names match as they are.", valueName: "regex"))
  var freezePattern: [String] = []
  @Option(
    name: .customLong("validate"),
    help: ArgumentHelp("Measure Dice on these data at every checkpoint.", valueName: "data"),
    completion: .file(extensions: ["h5"]))
  var validationData: String?
  @Option(help: ArgumentHelp("Steps between checkpoints (an epoch).", valueName: "n"))
  var checkpointEvery: Int?
  @Option(help: ArgumentHelp("Checkpoints kept besides the best.", valueName: "k")) var keep = 3
  @Flag(help: "Continue the run in RUN, which is what happens anyway.") var resume = false
  @Flag(name: [.customShort("n"), .long], help: "Print what would be trained, and do nothing.")
  var dryRun = false

  func validate() throws {
    guard keep > 0, checkpointEvery ?? 1 > 0 else {
      throw ValidationError("--keep and --checkpoint-every must be at least 1.")
    }
  }

  /// The configuration file with the options over it.
  func configuration() throws -> TrainingConfiguration {
    var result = try file()
    if steps != nil || epochs != nil { (result.steps, result.epochs) = (steps, epochs) }
    if maxSteps != nil || maxEpochs != nil {
      (result.maxSteps, result.maxEpochs) = (maxSteps, maxEpochs)
    }
    result.batchSize = batchSize ?? result.batchSize
    result.accumulate = accumulate ?? result.accumulate
    result.optimiser = optimiser ?? result.optimiser
    result.learningRate = lr ?? result.learningRate
    result.warmup = warmup ?? result.warmup
    result.exponent = lrExponent ?? result.exponent
    result.weightDecay = weightDecay ?? result.weightDecay
    result.decaysVectors = decayVectors ?? result.decaysVectors
    result.momentum = momentum ?? result.momentum
    result.entropyWeight = ceWeight ?? result.entropyWeight
    result.diceWeight = diceWeight ?? result.diceWeight
    result.factDropout = factDropout ?? result.factDropout
    result.augment = augment ?? result.augment
    result.prompt = prompt ?? result.prompt
    result.seed = seed ?? result.seed
    result.clipNorm = clipNorm ?? result.clipNorm
    result.precision = precision ?? result.precision
    result.trainPatterns += trainPattern
    result.freezePatterns += freezePattern
    try result.check()
    return result
  }

  private func file() throws -> TrainingConfiguration {
    guard let config else { return TrainingConfiguration() }
    if let known = TrainingConfiguration.shipped.first(where: { $0.name == config }) {
      return try TrainingConfiguration(yaml: known.text, path: known.name)
    }
    let text = String(decoding: try InputFile(config).contents(), as: UTF8.self)
    return try TrainingConfiguration(yaml: text, path: config)
  }

  /// What is trained on.
  func source(
    _ data: String?, _ configuration: TrainingConfiguration, _ model: Architecture,
    _ reading: ReadingOptions
  ) throws -> any CountedSource {
    try FixedBatches(reading.open(batches ?? data ?? ""), for: model)
  }

  func validation(
    _ model: SegmentAnything, _ configuration: TrainingConfiguration
  ) throws -> (() throws -> Double)? {
    nil
  }

  func interval(_ epoch: Int) -> Int { checkpointEvery ?? max(1, epoch) }
}
