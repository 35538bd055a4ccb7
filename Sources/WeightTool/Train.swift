import ArgumentParser
import Datasets
import Formats
import Networks
import Numerics
import Support
import Surgery
import Training

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Fine-tune an adapted model, as MA-SAM does.",
    discussion: """
      RUN keeps the configuration, log.jsonl and checkpoints. Running the same command again
      continues a run that was stopped, killed or cut off, bit by bit as if it had not been.
      What is trained is a delta: put it to use with wt merge-fact or wt apply.

      Examples:
        wt train masam.safetensors btcv.h5 -o run --config masam-btcv
        wt train masam.safetensors btcv.h5 -o run --epochs 20 --lr 4e-4 --validate test.h5
        wt train tiny.safetensors --batches batches.safetensors -o run --steps 20 --warmup 5
        wt merge-fact run/checkpoints/step-00002000/delta.safetensors --base sam_vit_b.safetensors
      """)

  @Argument(help: "The adapted model.", completion: .file()) var model: String
  @Argument(
    help: "The data that wt prepare made.", completion: .file(extensions: ["h5"])) var data: String?
  @Option(
    name: .shortAndLong, help: ArgumentHelp("The directory of the run.", valueName: "run"),
    completion: .directory)
  var output: String
  @Option(
    help: ArgumentHelp(
      "Train on fixed batches, in their order, instead of DATA.", valueName: "file"),
    completion: .file(extensions: ["safetensors"]))
  var batches: String?
  @Option(
    name: .customLong("validate"),
    help: ArgumentHelp("Measure Dice on these data at every checkpoint.", valueName: "data"),
    completion: .file(extensions: ["h5"]))
  var validationData: String?
  @Flag(help: "Continue the run that is in RUN, which is what happens anyway.") var resume = false
  @Flag(name: [.customShort("n"), .long], help: "Print what would be trained, and do nothing.")
  var dryRun = false
  @OptionGroup(title: "Training") var training: TrainingOptions
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func validate() throws {
    guard (data == nil) != (batches == nil) else {
      throw ValidationError("Give either DATA or --batches.")
    }
  }

  func run() throws {
    let stopwatch = Stopwatch()
    let settings = try training.configuration()
    let plan = try Blueprint(
      importing: reading.open(model, progress: global.progress), toolVersion: toolVersion)
    let segmenter = try settings.load(plan, path: model)
    let input = try TrainingInput(
      data: data, batches: batches, settings, for: segmenter.architecture,
      progress: global.progress)
    let validation = try validation(segmenter.architecture, settings, input)
    let (steps, schedule) = settings.plan(batches: input.source.batchesPerEpoch)
    if schedule(steps - 1) == 0 {
      global.warn("the schedule is shorter than the run: the rate of the last steps is 0")
    }
    let identity = try identity(
      settings, plan, segmenter.architecture, input, validation?.digest)
    guard !dryRun else {
      try RunDirectory.check(output, identity: identity)
      return try Console.result(description(segmenter, steps, schedule))
    }
    let directory = try RunDirectory(output, identity: identity, version: toolVersion)
    for warning in directory.warnings { global.warn(warning) }
    if resume, directory.newest == nil { global.note("there is nothing to resume: the run begins") }
    let run = try TrainingRun(
      Trainer(segmenter, settings, schedule: schedule), plan, steps: steps, source: input.source,
      directory: directory, lessons: input.lessons,
      validation: validation.map { validation in { try validation.meanDice($0) } })
    Interruption.letFinish()
    try train(run, loaded: stopwatch)
  }

  private func train(_ run: TrainingRun, loaded stopwatch: Stopwatch) throws {
    let loaded = stopwatch.seconds
    var line = TrainingLine(steps: run.steps, isQuiet: global.quiet || global.json)
    var seconds: [Double] = []
    let outcome = try run.run(
      observe: {
        seconds.append($0.seconds)
        line.show($0)
      }, shouldStop: { Interruption.signal != nil })
    line.finish()
    let saved = stopwatch.seconds - loaded - seconds.reduce(0, +)
    try report(run, outcome, .seconds(load: loaded, compute: seconds, save: saved))
    if case .stopped = outcome, let signal = Interruption.signal { throw ExitCode(128 + signal) }
  }

  private func identity(
    _ settings: TrainingConfiguration, _ plan: Blueprint, _ architecture: Architecture,
    _ input: TrainingInput, _ validation: String?
  ) throws -> RunIdentity {
    let content = try CheckpointHash(
      PlannedCheckpoint(plan, path: model), progress: global.progress
    ).content
    var identity = RunIdentity(settings)
    identity.add("model", .string(content))
    for (key, value) in architecture.choices { identity.add(key, value) }
    identity.add("data", .string(try input.identity()))
    identity.add("validation", validation.map(JSON.string) ?? .null)
    return identity
  }

  private func validation(
    _ model: Architecture, _ settings: TrainingConfiguration, _ input: TrainingInput
  ) throws -> DatasetValidation? {
    guard let validationData else { return nil }
    let validation = try DatasetValidation(
      DatasetFile(path: validationData), for: model, slices: input.slices,
      boxRelaxation: input.isPrompted ? settings.boxRelaxation : nil, progress: global.progress)
    global.note("validating with \(validation.summary)")
    return validation
  }

  private func description(
    _ segmenter: SegmentAnything, _ steps: Int, _ schedule: LearningRateSchedule
  ) -> String {
    let trained = segmenter.trained.reduce(0) { $0 + $1.variable.value.count }
    guard !global.json else {
      let names = segmenter.trained.map { JSON.string($0.name.text) }
      return JSON.object([
        ("dry_run", .bool(true)), ("run", .string(output)), ("steps", .int(steps)),
        ("schedule_steps", .int(schedule.length)), ("trained_parameters", .int(trained)),
        ("trained", .array(names)),
      ]).encoded()
    }
    let lines =
      segmenter.architecture.lines + [
        "trained: \(Console.grouped(trained)) parameters in \(segmenter.trained.count) tensors",
        "steps: \(steps), in a schedule of \(schedule.length)",
      ]
    return lines.joined(separator: "\n")
  }

  private func report(
    _ run: TrainingRun, _ outcome: TrainingRun.Outcome, _ seconds: JSON
  ) throws {
    let done: Int
    if case .stopped(let step) = outcome { done = step } else { done = run.steps }
    guard !global.json else {
      return try Console.result(
        JSON.object([
          ("run", .string(output)), ("steps", .int(run.steps)), ("steps_done", .int(done)),
          ("finished", .bool(done == run.steps)), ("seconds", seconds),
          ("peak_rss_bytes", .int(peakResidentBytes)),
        ]).encoded())
    }
    let name = output.escapedForDisplay
    switch outcome {
    case .nothingToDo: try Console.result("\(name): nothing left to do, \(done) steps are done")
    case .finished: try Console.result("\(name): trained \(done) steps")
    case .stopped: try Console.result("\(name): stopped after \(done) of \(run.steps) steps")
    }
  }
}
