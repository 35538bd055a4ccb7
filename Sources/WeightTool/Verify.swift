import ArgumentParser
import Formats
import Support
import Surgery
import Verification

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Hold a model against everything that can be known of it in another way.",
    discussion: """
      Every level is reported: container, schema, finite numbers, provenance; with --golden what
      the model computes, tensor by tensor; with --against the algebra of a merge and both models
      on one input; with --gradients what training follows. Exits 2 when anything differs. A file that is
      cut, damaged or not a complete model fails its level, and what builds on that is not run; one
      that is no checkpoint at all or cannot be read is an error, as everywhere.

      Examples:
        wt verify masam.safetensors
        wt verify masam.safetensors --golden golden.safetensors --report verified.html
        wt verify masam.safetensors --gradients
        wt verify deploy.safetensors --against epoch_159.pth --base sam_vit_h_4b8939.pth
      """)

  @Argument(help: "The model.", completion: .file()) var model: String
  @Option(
    help: ArgumentHelp("An input with what the model computes for it.", valueName: "file"),
    completion: .file())
  var golden: String?
  @Option(
    help: ArgumentHelp("A model or delta that must agree with it.", valueName: "file"),
    completion: .file())
  var against: String?
  @Option(
    help: ArgumentHelp("The SAM that the model or the delta was made from.", valueName: "file"),
    completion: .file())
  var base: String?
  @Flag(help: "Hold the gradients of what is trained against finite differences.")
  var gradients = false
  @Option(
    help: ArgumentHelp("Allowed difference over the largest magnitude.", valueName: "x"))
  var tolerance = 2e-5
  @Option(
    help: ArgumentHelp("Write the result as one HTML page.", valueName: "file"),
    completion: .file(extensions: ["html"]))
  var report: String?
  @Flag(name: .shortAndLong, help: "Replace the report if it exists.") var force = false
  @OptionGroup var mapping: MappingOptions
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func validate() throws {
    guard tolerance >= 0, tolerance.isFinite else {
      throw ValidationError("--tolerance must be a number of at least 0.")
    }
    guard report != "" else { throw ValidationError("--report needs the name of a file.") }
  }

  func run() throws {
    let stopwatch = Stopwatch()
    if let report {
      try AtomicFile.checkFolder(of: report)
      let inputs = [model, golden, against, base].compactMap(\.self)
      try AtomicFile.checkTarget(
        report, overwrite: force, besides: inputs + inputs.map(RunConfiguration.path(beside:)))
    }
    let result = VerificationReport(model: model, levels: try levels())
    let seconds = stopwatch.seconds
    // What was found must not be lost with a page that cannot be written.
    try Console.result(
      global.json ? result.json(seconds).encoded() : result.text(verbose: global.verbose))
    if let report { try AtomicFile.write(result.html, to: report, overwrite: force) }
    if !result.passes { throw ExitCode(2) }
  }

  private func levels() throws -> [VerificationReport.Level] {
    let subject = try Verifier.examine(
      tolerance: tolerance, toolVersion: toolVersion, progress: global.progress
    ) { try open(model) }
    let base = try base.map { try Blueprint(importing: open($0), toolVersion: toolVersion) }
    let asked =
      (golden == nil ? [] : ["activations"]) + (against == nil ? [] : ["algebra", "forward"])
      + (gradients ? ["gradients"] : [])
    switch subject {
    case .failed(let levels): return levels + Verifier.notRun(asked)
    case .model(var verifier):
      verifier.maps = mapping.map
      var levels = try verifier.ownLevels(base: base)
      guard levels.prefix(2).allSatisfy({ $0.outcome == .passed }) else {
        return levels + Verifier.notRun(asked)
      }
      if let golden { levels.append(try verifier.golden(open(golden))) }
      if let against {
        levels += try verifier.against(other(against, base, of: verifier))
      }
      if gradients { levels.append(try verifier.gradients()) }
      return levels
    }
  }

  private func open(_ path: String) throws -> any Checkpoint {
    let checkpoint = try reading.open(path, progress: global.progress)
    if let report { try AtomicFile.refuseInput(report, isInput: checkpoint.isStored(at: report)) }
    global.warn(about: checkpoint)
    return checkpoint
  }

  /// What the model is held against: a whole model, or a delta beside its base.
  ///
  /// Where the delta does not say a size it is the model's. A delta is held against a delta as it is.
  private func other(
    _ path: String, _ base: Blueprint?, of verifier: Verifier
  ) throws -> Blueprint {
    var plan = try Blueprint(importing: open(path), toolVersion: toolVersion)
    if let configuration = try RunConfiguration(beside: path), try Architecture(plan).isDelta {
      try configuration.complete(&plan, file: RunConfiguration.path(beside: path))
    }
    let delta = try Architecture(plan)
    guard delta.isDelta || !verifier.isDelta else {
      throw SurgeryError(
        .wrongPairing, file: path, expected: "a delta, as the model is one", found: "a whole model",
        remedy: "name the whole model first: wt verify MODEL --against DELTA --base BASE")
    }
    guard delta.isDelta, !verifier.isDelta else { return plan }
    guard var base else {
      throw SurgeryError(
        .wrongPairing, file: path, expected: "a whole model, or a delta with its base",
        found: "a delta alone", remedy: "give the base with --base")
    }
    try ApplyDelta(
      delta: plan, imageSize: delta.imageSize ?? verifier.imageSize, allowsDifferentBase: true
    ).apply(to: &base)
    return base
  }
}

extension VerificationReport {
  fileprivate func json(_ seconds: Double) -> JSON {
    .object([
      ("model", .string(model)), ("passed", .bool(passes)),
      ("levels", .array(levels.map(\.json))), ("seconds", .double(seconds)),
      ("peak_rss_bytes", .int(peakResidentBytes)),
    ])
  }

  /// A line for each level, and one for each tensor that differs, or with `verbose` for every one.
  fileprivate func text(verbose: Bool) -> String {
    var lines: [String] = []
    for level in levels {
      let outcome = level.outcome.rawValue.padding(to: 8)
      lines.append("\(outcome) \(level.name.padding(to: 12)) \(level.detail)")
      let shown = verbose ? level.measurements : level.measurements.filter { !$0.passes }
      for measurement in shown.prefix(verbose ? shown.count : 10) {
        lines.append("           \(measurement.name.escapedForDisplay): \(measurement.difference)")
      }
      if shown.count > 10, !verbose { lines.append("           and \(shown.count - 10) more") }
    }
    return lines.joined(separator: "\n") + "\n\(passes ? "verified" : "not verified")"
  }
}

extension VerificationReport.Level {
  fileprivate var json: JSON {
    .object([
      ("name", .string(name)), ("outcome", .string(outcome.rawValue)), ("detail", .string(detail)),
      (
        "tensors",
        .array(
          measurements.map {
            .object([
              ("name", .string($0.name)), ("difference", .double($0.difference)),
              ("tolerance", .double($0.tolerance)), ("passed", .bool($0.passes)),
            ])
          })
      ),
    ])
  }
}

extension String {
  fileprivate func padding(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
