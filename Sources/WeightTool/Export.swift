import ArgumentParser
import Formats
import Surgery

/// How the chunks of an HDF5 file are compressed.
enum ChunkCompression: String, CaseIterable, ExpressibleByArgument {
  case none, gzip, zstd

  var value: HDF5Compression {
    switch self {
    case .none: .none
    case .gzip: .gzip(level: 4)
    case .zstd: .zstd(level: 3)
    }
  }
}

/// What `wt export --to` can make: containers, and the forms that other programs load.
enum ExportTarget: String, CaseIterable, ExpressibleByArgument {
  case torch, safetensors, hdf5, masam, samed, sam, hf

  var container: OutputFormat.Container {
    switch self {
    case .torch, .masam, .samed, .sam: .torch
    case .safetensors, .hf: .safeTensors
    case .hdf5: .hdf5
    }
  }

  /// Nil when names and bytes stay as they are.
  var form: Express.Form? { Express.Form(rawValue: rawValue) }
}

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a checkpoint for another tool.",
    discussion: """
      torch, safetensors and hdf5 keep names and bytes. masam is the adapter that MA-SAM's Python
      loads, samed the LoRA file that SAMed's does (FacT is written as LoRA of the same update), sam
      has Meta's names, hf those of Hugging Face's SamModel. What was written is read back and
      compared. A name that ends with .zst is compressed.

      Examples:
        wt export model.safetensors -o model.pth --to torch
        wt export model.safetensors -o model.safetensors.zst --to safetensors
        wt export model.pth -o model.safetensors --to safetensors --shard-size 1GB
        wt export model.safetensors -o model.h5 --to hdf5 --compression gzip
        wt export masam.safetensors -o adapter.pth --to masam
        wt export sam_vit_b.pth -o model.safetensors --to hf
      """)

  @Argument(help: "The checkpoint to read.", completion: .file()) var model: String

  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "file"),
    completion: .file())
  var output: String

  @Option(help: ArgumentHelp("The form to write.", valueName: "form")) var to: ExportTarget

  @Option(help: "Compress the datasets of an HDF5 file; zstd needs hdf5plugin in Python.")
  var compression = ChunkCompression.none

  @Option(
    help: ArgumentHelp(
      "The factors' scale, over what the file or config.txt says; for samed.", valueName: "s"))
  var scale: Double?

  @Flag(help: "Give LoRA the factors' own rank, rounding its A; for samed.")
  var keepRank = false

  @OptionGroup(title: "Output") var writing: OutputOptions
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func validate() throws {
    _ = try format()
    guard compression == .none || to == .hdf5 else {
      throw ValidationError("--compression goes with --to hdf5; name the output *.zst otherwise.")
    }
    guard to == .samed || (scale == nil && !keepRank) else {
      throw ValidationError("--scale and --keep-rank go with --to samed.")
    }
  }

  private func format() throws -> OutputFormat {
    var format = try writing.format(to.container, for: output)
    format.chunkCompression = compression.value
    return format
  }

  func run() throws {
    let stopwatch = Stopwatch()
    let source = try reading.open(model, progress: global.progress)
    try writing.check(output, against: source)
    writing.noteExisting([output], global)
    global.warn(about: source)
    var plan = try plan(source)
    let format = try format()
    if let note = plan.sharingNote(format) { plan.notes.append(note) }
    for note in plan.notes { global.note(note) }
    let loaded = stopwatch.seconds
    if writing.dryRun { try plan.check(format) }
    let files: [String]
    if writing.dryRun {
      files = try plan.files(at: output, format: format, overwrite: true)
      writing.noteExisting(files, besides: output, global)
    } else {
      let summary = try plan.write(
        to: output, format: format, overwrite: writing.force, progress: global.progress)
      files = summary.files
      if let note = global.note(about: summary) { plan.notes.append(note) }
    }
    let report = ExportReport(
      source: source, plan: plan, target: to, files: files, isDryRun: writing.dryRun,
      warnings: global.warnings(about: source), loadSeconds: loaded,
      saveSeconds: stopwatch.seconds - loaded)
    try Console.result(global.json ? report.json.encoded() : report.text)
  }

  private func plan(_ source: any Checkpoint) throws -> Blueprint {
    guard let form = to.form else { return Blueprint(copying: source) }
    try AtomicFile.checkTarget(
      output, overwrite: writing.force || writing.dryRun,
      besides: [RunConfiguration.path(beside: model)])
    return try Blueprint(importing: source, withConfigurationBeside: model)
      .applying(Express(form, scale: scale, keepsRank: keepRank))
  }
}
