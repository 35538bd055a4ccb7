import ArgumentParser
import Formats
import Support
import Surgery

/// What every command that makes one model of others takes.
struct SurgeryOptions: ParsableArguments {
  @Flag(help: "Print the recipe that this command is, and do nothing.")
  var printRecipe = false

  @OptionGroup(title: "Output") var writing: OutputOptions
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  /// Opens a checkpoint of a known family; a delta is completed by the `config.txt` beside it.
  func plan(_ path: String) throws -> Blueprint {
    let source = try reading.open(path, progress: global.progress)
    global.warn(about: source)
    return try Blueprint(importing: source, withConfigurationBeside: path)
  }
}

extension Blueprint {
  /// The plan of a checkpoint; a delta is completed by the `config.txt` beside it.
  init(importing source: any Checkpoint, withConfigurationBeside path: String) throws {
    try self.init(importing: source, toolVersion: toolVersion)
    if let configuration = try RunConfiguration(beside: path), try Architecture(self).isDelta {
      try configuration.complete(&self, file: RunConfiguration.path(beside: path))
    }
  }
}

/// One run of a recipe: plan, write, report.
struct SurgeryJob {
  var recipe: Recipe
  /// The model that the recipe starts from, already planned.
  var base: Blueprint
  /// All files that are read, none of which may be the output.
  var inputs: [String]
  var output: String
  var options: SurgeryOptions
  /// Where the recipe was read from, if it was.
  var recipePath: String?
  /// Other inputs that were planned before, by path.
  var opened: [String: Blueprint] = [:]

  func run() throws {
    guard !options.printRecipe else {
      return try Console.result(recipe.yaml)
    }
    let stopwatch = Stopwatch()
    options.writing.noteExisting([output], options.global)
    try AtomicFile.checkFolder(of: output)
    try AtomicFile.checkTarget(
      output, overwrite: options.writing.force || options.writing.dryRun,
      besides: inputs + inputs.map(RunConfiguration.path(beside:)) + [recipePath].compactMap(\.self)
    )
    let context = RecipeContext(open: { try opened[$0] ?? options.plan($0) })
    var blueprint = try recipe.plan(from: base, toolVersion: toolVersion, context)
    for note in blueprint.notes { options.global.note(note) }
    let planned = stopwatch.seconds
    let format = try options.writing.format(.safeTensors, for: output)
    let files =
      try options.writing.dryRun ? plannedFiles(blueprint, format) : write(blueprint, format)
    // A dry run reads nothing, so what it would find out stays unknown.
    blueprint.metadata =
      try options.writing.dryRun ? blueprint.knownMetadata : blueprint.finalMetadata()
    let report = try SurgeryJobReport(
      blueprint: blueprint, architecture: Architecture(anyDialectOf: blueprint), inputs: inputs,
      files: files,
      measurements: context.measurements, rounding: context.rounding,
      isDryRun: options.writing.dryRun, loadSeconds: planned,
      saveSeconds: stopwatch.seconds - planned)
    try Console.result(
      options.global.json
        ? report.json().encoded() : report.text(verbose: options.global.verbose))
  }
}

extension SurgeryJob {
  /// What would be written, for which nothing is read.
  private func plannedFiles(_ blueprint: Blueprint, _ format: OutputFormat) throws -> [String] {
    try blueprint.check(format)
    let files = try blueprint.files(at: output, format: format, overwrite: true)
    options.writing.noteExisting(files, besides: output, options.global)
    return files
  }

  private func write(_ blueprint: Blueprint, _ format: OutputFormat) throws -> [String] {
    let summary = try naming(blueprint) {
      try blueprint.write(
        to: output, format: format, overwrite: options.writing.force,
        progress: options.global.progress)
    }
    _ = options.global.note(about: summary)
    return summary.files
  }
}

extension GlobalOptions {
  /// Says what a user should know though nothing is wrong.
  func note(_ text: String) {
    if !quiet { Console.note(text) }
  }
}
