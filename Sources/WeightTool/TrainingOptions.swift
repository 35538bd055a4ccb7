import ArgumentParser
import Formats
import Training

/// What `wt train` takes beside its model and data; options win over the configuration file.
struct TrainingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Options from a YAML file, or one of masam-btcv, masam-prostate, masam-endovis18, "
        + "masam-pancreas-box.", valueName: "file"), completion: .file(extensions: ["yaml"]))
  var config: String?
  @Option(parsing: .unconditional, help: ArgumentHelp("Steps in all.", valueName: "n")) var steps:
    String?
  @Option(parsing: .unconditional, help: ArgumentHelp("Epochs in all (300).", valueName: "n"))
  var epochs: String?
  @Option(
    parsing: .unconditional, help: ArgumentHelp("The schedule's length in steps.", valueName: "n"))
  var maxSteps: String?
  @Option(
    parsing: .unconditional, help: ArgumentHelp("The schedule's length in epochs.", valueName: "n"))
  var maxEpochs: String?
  @Option(parsing: .unconditional, help: ArgumentHelp("Stacks in a batch (3).", valueName: "n"))
  var batchSize: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Batches whose gradients make a step (1).", valueName: "n"))
  var accumulate: String?
  @Option(help: ArgumentHelp("What changes the parameters (adamw).", valueName: "adamw|sgd"))
  var optimiser: String?
  @Option(parsing: .unconditional, help: ArgumentHelp("The learning rate (8e-4).", valueName: "x"))
  var lr: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Steps in which the rate rises (250).", valueName: "n"))
  var warmup: String?
  @Option(parsing: .unconditional, help: ArgumentHelp("How steeply it falls (7).", valueName: "x"))
  var lrExponent: String?
  @Option(
    parsing: .unconditional, help: ArgumentHelp("The decay of weights (0.1).", valueName: "x"))
  var weightDecay: String?
  @Option(
    help: ArgumentHelp("Whether biases and norms decay too (true).", valueName: "true|false"))
  var decayNormsAndBiases: String?
  @Option(parsing: .unconditional, help: ArgumentHelp("The momentum of sgd (0.9).", valueName: "x"))
  var momentum: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The weight of cross-entropy (0.2).", valueName: "x"))
  var ceWeight: String?
  @Option(
    parsing: .unconditional, help: ArgumentHelp("The weight of soft Dice (0.8).", valueName: "x"))
  var diceWeight: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The share of factors' activations dropped (0.1).", valueName: "x"))
  var factDropout: String?
  @Option(help: ArgumentHelp("How samples are changed at random (masam).", valueName: "masam|none"))
  var augment: String?
  @Option(
    help: ArgumentHelp(
      "Whether the model is given a box around what is labelled (auto: the boxes of --batches).",
      valueName: "auto|none|box3d"))
  var prompt: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("What all random numbers come from (1234).", valueName: "n"))
  var seed: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The most that the norm of a gradient may be.", valueName: "x"))
  var clipNorm: String?
  @Option(
    help: ArgumentHelp("What the encoder's matrix products are in (f32).", valueName: "f32|bf16"))
  var precision: String?
  @Option(
    help: ArgumentHelp("Train tensors whose names match too; may be repeated.", valueName: "regex"))
  var trainPattern: [String] = []
  @Option(
    help: ArgumentHelp("Leave tensors whose names match as they are.", valueName: "regex"))
  var freezePattern: [String] = []
  @Option(
    parsing: .unconditional, help: ArgumentHelp("Steps between checkpoints (100).", valueName: "n"))
  var checkpointEvery: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Checkpoints kept besides the best, at least 2 (3).", valueName: "k"))
  var keep: String?

  /// The published recipe, the configuration file over it, and the options over both.
  func configuration() throws -> TrainingConfiguration {
    var result = TrainingConfiguration()
    if let config { try result.apply(configuration: config) }
    try result.apply(settings)
    return result
  }

  private var settings: TrainingConfiguration.Settings {
    let single: [(String, String?)] = [
      ("steps", steps), ("epochs", epochs), ("max-steps", maxSteps), ("max-epochs", maxEpochs),
      ("batch-size", batchSize), ("accumulate", accumulate), ("optimiser", optimiser), ("lr", lr),
      ("warmup", warmup), ("lr-exponent", lrExponent), ("weight-decay", weightDecay),
      ("decay-norms-and-biases", decayNormsAndBiases), ("momentum", momentum),
      ("ce-weight", ceWeight), ("dice-weight", diceWeight), ("fact-dropout", factDropout),
      ("augment", augment), ("prompt", prompt), ("seed", seed), ("clip-norm", clipNorm),
      ("precision", precision), ("checkpoint-every", checkpointEvery), ("keep", keep),
    ]
    let lists = [("train-pattern", trainPattern), ("freeze-pattern", freezePattern)]
    return single.compactMap { key, value in value.map { (key: key, values: [$0]) } }
      + lists.filter { !$1.isEmpty }.map { (key: $0, values: $1) }
  }
}
