extension TrainingConfiguration {
  /// As many as 32 bits count, which is what the random generator takes.
  private static let mostSteps = Int(UInt32.max)

  /// Every key, in the order in which they are written.
  static let fields: [ConfigurationField] = [
    .optionalCount("steps", \.steps, 1...mostSteps),
    .optionalCount("epochs", \.epochs, 1...1_000_000),
    .optionalCount("max-steps", \.maxSteps, 1...mostSteps),
    .optionalCount("max-epochs", \.maxEpochs, 1...1_000_000),
    .count("batch-size", \.batchSize, 1...1024),
    .count("accumulate", \.accumulate, 1...65_536),
    .choice("optimiser", \.optimiser),
    .number("lr", \.rate, .positive(to: 10)),
    .count("warmup", \.warmup, 0...mostSteps),
    .number("lr-exponent", \.exponent, NumberRange(lower: 0, upper: 100)),
    .number("weight-decay", \.weightDecay, NumberRange(lower: 0, upper: 10)),
    .flag("decay-norms-and-biases", \.decaysVectors),
    .number("beta1", \.firstBeta, .partBelowOne),
    .number("beta2", \.secondBeta, .partBelowOne),
    .number("epsilon", \.epsilon, .positive(to: 1)),
    .number("momentum", \.momentum, .partBelowOne),
    .optionalNumber("clip-norm", \.clipNorm, .positive(to: 1e30)),
    .number("ce-weight", \.entropyWeight, NumberRange(lower: 0, upper: 1000)),
    .number("dice-weight", \.diceWeight, NumberRange(lower: 0, upper: 1000)),
    .number("fact-dropout", \.factorDropout, NumberRange(lower: 0, upper: 0.99)),
    .choice("augment", \.augmentation),
    .choice("prompt", \.prompt),
    .number("box-relax", \.boxRelaxation, .part),
    // Sides that move by half of the extent could change places.
    .number("box-jitter", \.boxJitter, NumberRange(lower: 0, upper: 0.5, includesUpper: false)),
    .seed("seed", \.seed),
    .choice("precision", \.precision),
    .patterns("train-pattern", \.trainPatterns),
    .patterns("freeze-pattern", \.freezePatterns),
    .count("checkpoint-every", \.checkpointEvery, 1...mostSteps, isCompared: false),
    .count("keep", \.keep, 1...10_000, isCompared: false),
  ]

  /// Values for keys, as texts; a list may have any number of them.
  public typealias Settings = [(key: String, values: [String])]

  /// Puts values over those that are there.
  ///
  /// Settings that say how long a run is take away what was there of that kind, so that the schedule
  /// is then as long as the run unless they say otherwise.
  /// - Parameter file: where the settings were read from, nil for options.
  /// - Throws: `TrainingError` with code `badConfiguration`.
  public mutating func apply(_ settings: Settings, file: String? = nil) throws {
    var result = self
    if settings.contains(where: { $0.key == "steps" || $0.key == "epochs" }) {
      (result.steps, result.epochs, result.maxSteps, result.maxEpochs) = (nil, nil, nil, nil)
    } else if settings.contains(where: { $0.key == "max-steps" || $0.key == "max-epochs" }) {
      (result.maxSteps, result.maxEpochs) = (nil, nil)
    }
    for (key, values) in settings {
      guard let field = Self.fields.first(where: { $0.key == key }) else {
        throw TrainingError(
          .badConfiguration, file: file, subject: key,
          expected: "one of \(Self.fields.map(\.key).joined(separator: ", "))")
      }
      do {
        try field.read(&result, values)
      } catch {
        throw TrainingError(
          .badConfiguration, file: file, subject: key, expected: error.expected,
          found: values.isEmpty ? "nothing" : values.joined(separator: ", "))
      }
    }
    try result.validate(file: file)
    self = result
  }

  /// Checks what no value says alone.
  private func validate(file: String?) throws {
    func refuse(_ key: String, _ expected: String, _ found: String) -> TrainingError {
      TrainingError(.badConfiguration, file: file, subject: key, expected: expected, found: found)
    }
    if steps != nil, epochs != nil { throw refuse("epochs", "either steps or epochs", "both") }
    if steps == nil, epochs == nil { throw refuse("steps", "steps or epochs", "neither") }
    if maxSteps != nil, maxEpochs != nil {
      throw refuse("max-epochs", "either max-steps or max-epochs", "both")
    }
    guard entropyWeight + diceWeight > 0 else {
      throw refuse("dice-weight", "a part of the loss that counts", "both weights zero")
    }
    guard optimiser != .adamW || rate * weightDecay < 1 else {
      throw refuse("weight-decay", "lr times weight-decay below 1", "\(rate * weightDecay)")
    }
  }
}
