import Support
import TestSupport
import Testing

@testable import Training

struct ConfigurationTests {
  private func applying(
    _ settings: TrainingConfiguration.Settings, to start: TrainingConfiguration = .init()
  ) throws -> TrainingConfiguration {
    var configuration = start
    try configuration.apply(settings)
    return configuration
  }

  @Test func `as it stands it is the published recipe`() {
    let configuration = TrainingConfiguration()
    #expect(configuration.rate == 8e-4 && configuration.warmup == 250)
    #expect(configuration.exponent == 7 && configuration.weightDecay == 0.1)
    #expect(configuration.entropyWeight == 0.2 && configuration.diceWeight == 0.8)
    let plan = configuration.plan(batches: 10)
    #expect(plan.steps == 3000 && plan.schedule.length == 4000)
  }

  @Test func `a number of steps is the schedule's length too`() throws {
    let run = try applying([("steps", ["20"])]).plan(batches: 7)
    #expect(run.steps == 20 && run.schedule.length == 20)
    let long = try applying([("steps", ["20"]), ("max-steps", ["50"])]).plan(batches: 7)
    #expect(long.steps == 20 && long.schedule.length == 50)
    let epochs = try applying([("epochs", ["2"]), ("accumulate", ["3"])]).plan(batches: 7)
    #expect(epochs.steps == 6 && epochs.schedule.length == 6)
  }

  @Test(arguments: TrainingConfiguration.shippedNames)
  func `a shipped configuration can be used`(_ name: String) throws {
    var configuration = TrainingConfiguration()
    try configuration.apply(configuration: name)
    #expect(configuration.batchSize * configuration.accumulate == 24)
    #expect(configuration.epochs == 300 && configuration.maxEpochs == 400)
    #expect((configuration.prompt == .box3d) == name.hasSuffix("box"))
    #expect((configuration.entropyWeight == 0) == (name == "masam-endovis18"))
  }

  @Test func `options override a file`() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(
      "lr: 1e-3\nwarmup: 0\nclip-norm: 1\ntrain-pattern: [neck, 'blocks\\.1\\.']\n".utf8,
      as: "a.yaml")
    var configuration = TrainingConfiguration()
    try configuration.apply(configuration: path)
    try configuration.apply([("lr", ["2e-3"]), ("clip-norm", ["none"])])
    #expect(configuration.rate == 2e-3 && configuration.warmup == 0)
    #expect(configuration.clipNorm == nil)
    #expect(configuration.trainPatterns == ["neck", "blocks\\.1\\."])
  }

  @Test(arguments: [
    ("lr", "-1"), ("lr", "nan"), ("lr", "0"), ("lr", "1e9"), ("lr", "fast"), ("steps", "-3"),
    ("steps", "0"), ("steps", "1.5"), ("steps", "99999999999999999999"), ("fact-dropout", "1"),
    ("batch-size", "0"), ("accumulate", "0"), ("seed", "-1"), ("prompt", "box"),
    ("augment", "some"), ("precision", "f16"), ("keep", "0"), ("checkpoint-every", "0"),
    ("clip-norm", "0"), ("clip-norm", "inf"), ("ce-weight", "-0.1"), ("beta2", "1"),
    ("decay-norms-and-biases", "perhaps"), ("train-pattern", "("), ("rank", "4"),
  ]) func `nonsense is refused`(_ key: String, _ value: String) throws {
    let start = TrainingConfiguration()
    var configuration = start
    let error = #expect(throws: TrainingError.self) {
      try configuration.apply([(key, [value])])
    }
    #expect(error?.subject == key)
    #expect(error?.category == .usage)
    #expect(configuration == start)
  }

  @Test func `values that do not go together are refused`() throws {
    let pairs: [TrainingConfiguration.Settings] = [
      [("steps", ["1"]), ("epochs", ["1"])], [("max-steps", ["1"]), ("max-epochs", ["1"])],
      [("ce-weight", ["0"]), ("dice-weight", ["0"])], [("lr", ["1"]), ("weight-decay", ["1"])],
    ]
    for settings in pairs {
      let error = #expect(throws: TrainingError.self) { try applying(settings) }
      #expect(error?.code == .badConfiguration)
    }
  }

  @Test(arguments: [
    "lr: [1, 2]", "lr: {a: 1}", "- lr", "lr: 1\nlr: 2", "speed: 3", "lr: 1: 2", "[a]: 3", "lr:",
    "epochs: 0",
  ]) func `a malformed file is refused`(_ yaml: String) throws {
    var configuration = TrainingConfiguration()
    let error = #expect(throws: TrainingError.self) {
      try configuration.apply(yaml: yaml, file: "a.yaml")
    }
    #expect(error?.file == "a.yaml")
    #expect(error?.category == .badData)
  }

  @Test func `an unknown name is told with those that are known`() throws {
    var configuration = TrainingConfiguration()
    let error = #expect(throws: TrainingError.self) {
      try configuration.apply(configuration: "masam-lung")
    }
    #expect(error?.code == .unknownConfiguration)
    #expect(error?.expected?.contains("masam-prostate") == true)
  }

  @Test func `an empty file changes nothing`() throws {
    var configuration = TrainingConfiguration()
    try configuration.apply(yaml: "# nothing\n", file: "a.yaml")
    #expect(configuration == TrainingConfiguration())
  }

  @Test func `every difference is named, and what does not count is not compared`() throws {
    let begun = RunIdentity(try applying([("steps", ["20"]), ("seed", ["7"])]))
    let bytes = Array(begun.text.utf8)
    let kept = try applying([("steps", ["20"]), ("seed", ["7"]), ("keep", ["9"])])
    try RunIdentity(kept).check(bytes, file: "config.json")
    #expect(RunIdentity(kept).digest == begun.digest)
    let other = RunIdentity(try applying([("steps", ["21"]), ("seed", ["7"]), ("lr", ["0.01"])]))
    #expect(other.digest != begun.digest)
    let error = #expect(throws: TrainingError.self) {
      try other.check(bytes, file: "config.json")
    }
    #expect(
      error?.description
        == "config.json: 'steps': the run was begun with another configuration: expected 20, "
        + "found 21; also 'lr' 0.01 instead of 0.0008; give the options it was begun with, or "
        + "another directory")
    #expect(error?.category == .badData)
  }

  @Test func `another fact than the configuration counts too`() throws {
    var begun = RunIdentity(TrainingConfiguration())
    begun.add("model", .string("a"))
    var other = RunIdentity(TrainingConfiguration())
    other.add("model", .string("b"))
    let bytes = Array(begun.text.utf8)
    for identity in [other, RunIdentity(TrainingConfiguration())] {
      let error = #expect(throws: TrainingError.self) { try identity.check(bytes, file: "c") }
      #expect(error?.subject == "model")
    }
  }

  @Test(arguments: ["", "{", "{}x", "[]", "{\"lr\": 1, }", "\u{0}"])
  func `a damaged configuration is no other one`(_ text: String) throws {
    let error = #expect(throws: TrainingError.self) {
      try RunIdentity(TrainingConfiguration()).check(Array(text.utf8), file: "config.json")
    }
    #expect(error?.code == .badRun)
  }
}
