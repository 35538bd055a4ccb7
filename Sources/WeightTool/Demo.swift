import ArgumentParser
import Demonstration
import Formats
import Support

struct Demo: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Go the whole road on made-up scans, from data to a report.",
    discussion: """
      Draws scans of ellipsoid organs with labels and a small SAM of random weights, then prepares
      data, adapts the model, trains it, merges the factors, verifies, predicts scans that were put
      aside, and measures the result. Each command is printed as you would type it. Takes a minute or
      two; nothing is fetched.

      Examples:
        wt demo
        wt demo -o somewhere --inputs-only
      """)

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The folder to write to.", valueName: "folder"),
    completion: .directory)
  var output = "wt-demo"
  @Option(help: "What scans, weights and training are drawn from.") var seed: UInt64 = 1
  @Flag(help: "Write the scans and the model, and print the commands without running them.")
  var inputsOnly = false
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func run() throws {
    let stopwatch = Stopwatch()
    guard !FolderListing.isFolder(output) else {
      throw FormatError(
        .outputExists, file: output, remedy: "remove it, or name another with --output")
    }
    try FolderListing.create(output)
    let demonstration = Demonstration(folder: output, seed: seed)
    try demonstration.write(
      toolVersion: toolVersion, progress: global.progress)
    let results = try demonstration.commands.map { try inputsOnly ? shown($0) : finished($0) }
    guard global.json else { return try tellEnd() }
    try Console.result(
      JSON.object([
        ("folder", .string(output)), ("seed", .int(Int(clamping: seed))),
        ("steps", .array(results)), ("seconds", .double(stopwatch.seconds)),
        ("peak_rss_bytes", .int(peakResidentBytes)),
      ]).encoded())
  }

  private func tellEnd() throws {
    try Console.result(
      inputsOnly
        ? "\nscans, base and profile are in \(output.escapedForDisplay)"
        : "\npictures: \(output.escapedForDisplay)/preview-*.png and report.html beside them")
  }

  private func shown(_ arguments: [String]) throws -> JSON {
    if !global.json { try Console.result("$ wt " + Self.text(arguments)) }
    return step(arguments, result: .null)
  }

  /// Runs one command as if it had been typed.
  private func finished(_ arguments: [String]) throws -> JSON {
    if !global.json { try Console.result("\n$ wt " + Self.text(arguments)) }
    let common = (global.json ? ["--json"] : []) + (global.quiet ? ["--quiet"] : [])
    Interruption.endAtOnce()
    var command = try WT.parseAsRoot(arguments + common)
    guard global.json else {
      try command.run()
      return .null
    }
    let kept = try Console.keepingResults { try command.run() }
    return step(arguments, result: kept.last.map(JSON.encoded) ?? .null)
  }

  private func step(_ arguments: [String], result: JSON) -> JSON {
    .object([
      ("arguments", .array(arguments.map(JSON.string))), ("result", result),
    ])
  }

  private static func text(_ arguments: [String]) -> String {
    arguments.map { ShellWord($0).text }.joined(separator: " ")
  }
}
