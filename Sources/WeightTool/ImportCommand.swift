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

  @Flag(name: .shortAndLong, help: "Replace the output if it exists.")
  var force = false

  @Flag(name: [.customShort("n"), .long], help: "Print what would be done and write nothing.")
  var dryRun = false

  @Option(
    name: .customLong("as"),
    help: ArgumentHelp(
      "The family the file must be, or 'none' to keep its names.", valueName: "family"))
  var family: String?

  @Option(help: ArgumentHelp("Allow missing tensors of these names.", valueName: "regex"))
  var allowMissing: String?

  @Option(help: ArgumentHelp("Leave out unknown tensors of these names.", valueName: "regex"))
  var allowUnused: String?

  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func run() throws {
    let clock = ContinuousClock()
    let start = clock.now
    let target = output ?? Self.defaultOutput(for: file)
    let source = try reading.open(file)
    if !dryRun { try checkOutput(target, source) }
    let plan = try Import(
      source, as: family,
      leniency: Import.Leniency(
        allowsMissing: try Pattern(allowMissing).matches,
        allowsUnused: try Pattern(allowUnused).matches),
      toolVersion: toolVersion)
    global.warn(about: source)
    let loaded = clock.now
    if !dryRun {
      _ = try plan.blueprint.write(
        from: source, to: target, overwrite: force, progress: global.progress)
    }
    let official = dryRun ? nil : try OfficialFile.identify(file)
    let report = ImportReport(
      source: source, plan: plan, target: target, official: official,
      warnings: global.warnings(about: source), dryRun: dryRun,
      loadSeconds: (loaded - start).seconds, saveSeconds: (clock.now - loaded).seconds)
    Console.result(global.json ? report.json.encoded() : report.text(verbose: global.verbose))
  }

  private func checkOutput(_ target: String, _ source: any Checkpoint) throws {
    try AtomicFile.checkTarget(target, overwrite: force)
    guard !source.isStored(at: target) else {
      throw FormatError(
        .outputUnavailable, file: target, found: "it is the input, which is never changed",
        remedy: "choose another name with --output")
    }
  }

  /// The input's path with its extension replaced.
  static func defaultOutput(for path: String) -> String {
    let name = lastComponent(of: path)
    let stem = name.lastIndex(of: ".").map { name[..<$0] } ?? name[...]
    let base = stem.isEmpty ? name[...] : stem
    return path.dropLast(name.count) + base + ".safetensors"
  }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
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
