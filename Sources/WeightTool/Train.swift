import ArgumentParser
import Formats
import Networks
import Numerics
import Support
import Surgery
import Training

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
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
  @OptionGroup(title: "Training") var training: TrainingOptions
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func validate() throws {
    guard (data == nil) != (training.batches == nil) else {
      throw ValidationError("Give either DATA or --batches.")
    }
  }

  func run() throws {
    Interruption.letFinish()
    let stopwatch = Stopwatch()
    let settings = try training.configuration()
    let plan = try Blueprint(
      importing: reading.open(model, progress: global.progress), toolVersion: toolVersion)
    let segmenter = try settings.load(plan, path: model)
    let data = try TrainingData(
      training.source(data, settings, segmenter.architecture, reading), settings)
    note(segmenter, data)
    guard !training.dryRun else {
      return try Console.result(description(segmenter, settings, data))
    }
    let directory = try RunDirectory(output)
    try begin(directory, settings, plan, data)
    let loaded = stopwatch.seconds
    var line = TrainingLine(steps: data.steps, isQuiet: global.quiet || global.json)
    var seconds: [Double] = []
    let run = try TrainingRun(
      settings.trainer(segmenter, schedule: data.scheduleLength), plan, source: data.source,
      directory: directory,
      plan: .init(
        steps: data.steps, interval: training.interval(data.epoch), kept: training.keep),
      validate: training.validation(segmenter, settings))
    let outcome = try run.run(
      observe: { report, time in
        seconds.append(time)
        line.show(report, seconds: time)
      }, warn: global.warn, shouldStop: { Interruption.signal != nil })
    line.finish()
    let total = stopwatch.seconds
    try report(
      outcome, directory, data, load: loaded, compute: seconds,
      save: total - loaded - seconds.reduce(0, +))
    if let signal = Interruption.signal { throw ExitCode(128 + signal) }
  }

  private func begin(
    _ directory: RunDirectory, _ settings: TrainingConfiguration, _ plan: Blueprint,
    _ data: TrainingData
  ) throws {
    let content = try CheckpointHash(
      PlannedCheckpoint(plan, path: model), progress: global.progress
    ).content
    let text = settings.text(identity: [
      ("model", content), ("data", data.identity), ("schedule", "\(data.scheduleLength) steps"),
    ])
    guard let begun = try directory.configuration() else { return try directory.begin(text) }
    try TrainingConfiguration.check(begun, is: text, path: directory.configurationPath)
  }

  private func note(_ segmenter: SegmentAnything, _ data: TrainingData) {
    if let slices = segmenter.architecture.slices, slices != data.slices {
      global.note("the data have \(data.slices) slices a stack; the model was made for \(slices)")
    }
  }

  private func description(
    _ segmenter: SegmentAnything, _ settings: TrainingConfiguration, _ data: TrainingData
  ) -> String {
    let trained = segmenter.trained.reduce(0) { $0 + $1.variable.value.count }
    let lines =
      segmenter.architecture.lines + [
        "trained: \(Console.grouped(trained)) parameters in \(segmenter.trained.count) tensors",
        "steps: \(data.steps), \(data.epoch) an epoch; schedule of \(data.scheduleLength)",
        "configuration: \(settings.text(identity: [("data", data.identity)]))",
      ]
    return lines.joined(separator: "\n")
  }

  private func report(
    _ outcome: TrainingRun.Outcome, _ directory: RunDirectory, _ data: TrainingData, load: Double,
    compute: [Double], save: Double
  ) throws {
    let checkpoint = try directory.newest(warn: { _ in })
    guard !global.json else {
      return try Console.result(
        JSON.object([
          ("run", .string(output)), ("steps", .int(data.steps)),
          ("steps_done", .int(checkpoint?.step ?? 0)),
          ("checkpoint", checkpoint.map { .string($0.path) } ?? .null),
          ("finished", .bool(checkpoint?.step ?? 0 >= data.steps)),
          ("seconds", .seconds(load: load, compute: compute, save: save)),
          ("peak_rss_bytes", .int(peakResidentBytes)),
        ]).encoded())
    }
    let place = checkpoint.map { ", \($0.path.escapedForDisplay)" } ?? ""
    switch outcome {
    case .nothingToDo:
      try Console.result("nothing left to do: \(data.steps) steps are done\(place)")
    case .finished: try Console.result("trained \(data.steps) steps\(place)")
    case .stopped(let step):
      try Console.result("stopped after \(step) of \(data.steps) steps\(place)")
    }
  }
}
