import ArgumentParser
import Formats
import Support
import Surgery

struct ImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Turn any checkpoint into verified safetensors with canonical names.",
    discussion: """
      The file is recognised by its content, unwrapped, compared with what is known of its family,
      written, read back and compared. Nothing in it is run.

      Examples:
        wt import sam_vit_h_4b8939.pth
        wt import training.pth --key model -o model.safetensors
        wt import unknown.pth --as none
      """)

  @Argument(help: "The checkpoint to read.", completion: .file())
  var file: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Where to write; beside the input by default.", valueName: "file"),
    completion: .file(extensions: ["safetensors"]))
  var output: String?

  @Option(
    name: .customLong("as"),
    help: ArgumentHelp(
      "The family the file must be, or 'none' to keep its names.", valueName: "family"))
  var family: String?

  @Option(help: ArgumentHelp("Allow missing tensors of these names.", valueName: "regex"))
  var allowMissing: String?

  @Option(help: ArgumentHelp("Leave out unknown tensors of these names.", valueName: "regex"))
  var allowUnused: String?

  @OptionGroup(title: "Output") var writing: OutputOptions
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  private var target: String { output ?? Self.defaultOutput(for: file) }

  func validate() throws { _ = try writing.format(.safeTensors, for: target) }

  func run() throws {
    let stopwatch = Stopwatch()
    let source = try reading.open(file, progress: global.progress)
    try writing.check(target, against: source)
    writing.noteExisting([target], global)
    let plan = try Import(
      source, as: family,
      leniency: Import.Leniency(
        allowsMissing: try Pattern(allowMissing).matches,
        allowsUnused: try Pattern(allowUnused).matches),
      toolVersion: toolVersion)
    global.warn(about: source)
    let loaded = stopwatch.seconds
    let official = writing.dryRun ? nil : try OfficialFile.identify(file)
    let format = try writing.format(.safeTensors, for: target)
    var notes: [String] = []
    if let note = plan.blueprint.sharingNote(format) {
      global.note(note)
      notes.append(note)
    }
    if writing.dryRun { try plan.blueprint.check(format) }
    let files: [String]
    if writing.dryRun {
      files = try plan.blueprint.files(at: target, format: format, overwrite: true)
      writing.noteExisting(files, besides: target, global)
    } else {
      let summary = try plan.blueprint.write(
        to: target, format: format, overwrite: writing.force, reference: .source,
        progress: global.progress)
      files = summary.files
      if let note = global.note(about: summary) { notes.append(note) }
    }
    let report = ImportReport(
      source: source, plan: plan, files: files, official: official,
      warnings: global.warnings(about: source), notes: notes, dryRun: writing.dryRun,
      loadSeconds: loaded, saveSeconds: stopwatch.seconds - loaded)
    try Console.result(global.json ? report.json.encoded() : report.text(verbose: global.verbose))
  }

  /// The input's path with its extension replaced.
  static func defaultOutput(for path: String, ending: String = ".safetensors") -> String {
    let name = lastComponent(of: path)
    let stem = name.lastIndex(of: ".").map { name[..<$0] } ?? name[...]
    let base = stem.isEmpty ? name[...] : stem
    return path.dropLast(name.count) + base + ending
  }
}

/// A regular expression that must match a whole name; without one nothing matches.
struct Pattern: @unchecked Sendable {
  private let expression: Regex<AnyRegexOutput>?

  init(_ text: String?) throws {
    do {
      expression = try text.map { try Regex($0) }
    } catch {
      throw SurgeryError(.badPattern, subject: text, found: "\(error)")
    }
  }

  func matches(_ name: TensorName) -> Bool {
    expression.map { (try? $0.wholeMatch(in: name.text)) != nil } ?? false
  }

  func contains(_ name: TensorName) -> Bool {
    expression.map { name.text.firstMatch(of: $0) != nil } ?? true
  }
}
