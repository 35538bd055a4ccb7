import ArgumentParser
import Datasets
import Evaluation
import Formats
import Metrics
import Support

extension EvaluationProtocol: ExpressibleByArgument {}

struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Hold segmentations against their references: Dice, IoU, HD, HD95, NSD, ASSD.",
    discussion: """
      PRED and GT are NIfTI files, PNG pictures, or folders of them; files are paired by name,
      folders below included. Distances are in mm with the reference's spacing.

      Protocols differ in what an absent class counts, and how distances are taken:
        nnunet     absent classes are left out; HD95 is the larger of both directions
        masam      a class that both lack counts 1; pooled HD95 in voxels (MedPy)
        samed      a class that only the reference lacks counts 1; pooled HD95 in voxels
        endovis18  classes of each frame's reference, then frames; Dice and IoU by default

      Examples:
        wt eval predictions labelsTs
        wt eval predictions labelsTs --protocol masam --class-names spleen,liver --json
        wt eval predictions/seq_1 labels/seq_1 --protocol endovis18 --report seq_1.html
      """)

  @Argument(help: "The segmentation, or a folder of them.", completion: .file())
  var prediction: String
  @Argument(help: "The reference, or a folder of them.", completion: .file())
  var reference: String
  @Option(
    name: .customLong("protocol"),
    help: ArgumentHelp("Whose definitions to use.", valueName: "name"))
  var convention = EvaluationProtocol.nnunet
  @Option(
    help: ArgumentHelp("What to measure, of: dice, iou, hd, hd95, nsd, assd.", valueName: "list"))
  var metrics: String?
  @Option(help: ArgumentHelp("How far surfaces may be apart, for NSD.", valueName: "mm"))
  var toleranceMm = 1.0
  @Option(help: ArgumentHelp("Names of the classes from 1 on.", valueName: "list"))
  var classNames: String?
  @Option(
    help: ArgumentHelp(
      "Read the references' labels, colours and names by a profile of 'wt prepare'.",
      valueName: "name or file"))
  var profile: String?
  @Flag(help: "Count label 0 as a class.") var includeBackground = false
  @Flag(help: "Go on when references have no prediction.") var allowMissing = false
  @Flag(help: "Print a line of comma-separated values for each class of each case.")
  var csv = false
  @Option(
    help: ArgumentHelp("Write bars and the worst slices as one HTML page.", valueName: "file"),
    completion: .file(extensions: ["html"]))
  var report: String?
  @Flag(name: .shortAndLong, help: "Replace the report if it exists.") var force = false
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func validate() throws {
    guard toleranceMm >= 0 else { throw ValidationError("--tolerance-mm must not be negative.") }
    guard !csv || !global.json else {
      throw ValidationError("--csv and --json exclude each other.")
    }
    _ = try chosenMetrics()
  }

  func run() throws {
    let stopwatch = Stopwatch()
    let pairs = try EvaluationPairs(prediction: prediction, reference: reference)
    try checkReport(pairs)
    try tell(pairs)
    let (summary, pictures) = try evaluation()(pairs.pairs, progress: global.progress)
    if let report {
      let page = try EvaluationReport(summary: summary, pictures: pictures).html()
      try AtomicFile.write(page, to: report, overwrite: force)
    }
    try Console.result(
      csv
        ? String(summary.csv.dropLast())
        : global.json ? json(summary, pairs, stopwatch.seconds).encoded() : summary.text)
  }

  /// The page must be none of the files that it tells about.
  private func checkReport(_ pairs: EvaluationPairs) throws {
    guard let report else { return }
    let inputs = pairs.files + [profile.flatMap(ProfileLibrary.path)].compactMap { $0 }
    try AtomicFile.checkTarget(report, overwrite: force, besides: inputs)
  }

  private func evaluation() throws -> Evaluation {
    let profile = try profile.map { try ProfileLibrary.profile($0) }
    let names = classNames.map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    return Evaluation(
      evaluator: Evaluator(
        convention: convention, metrics: try chosenMetrics(), tolerance: toleranceMm),
      classNames: names ?? profile?.classNames ?? [], includesBackground: includeBackground,
      mapping: profile?.labels,
      colours: try profile?.labels ?? ProfileLibrary.profile("endovis18").labels,
      pictureCount: report == nil ? 0 : 12)
  }

  private func chosenMetrics() throws -> Set<Metric> {
    guard let metrics else {
      return convention == .endovis18 ? [.dice, .iou] : Set(Metric.allCases)
    }
    let names = metrics.split(separator: ",", omittingEmptySubsequences: false)
    return Set(
      try names.map { name in
        guard let metric = Metric(rawValue: name.lowercased()) else {
          let known = Metric.allCases.map(\.rawValue).joined(separator: ", ")
          throw ValidationError("--metrics knows \(known), not '\(name)'.")
        }
        return metric
      })
  }

  /// Says which files have no partner.
  private func tell(_ pairs: EvaluationPairs) throws {
    if !pairs.extraPredictions.isEmpty {
      global.warn(
        "no reference for \(pairs.extraPredictions.lazy.map(\.escapedForDisplay).firstTen)")
    }
    guard !pairs.missingPredictions.isEmpty else { return }
    let missing = pairs.missingPredictions.lazy.map(\.escapedForDisplay).firstTen
    guard allowMissing else {
      throw EvaluationError(
        .missingPrediction, file: prediction, found: "none for \(missing)",
        remedy: "leave them out with --allow-missing")
    }
    global.warn("no prediction for \(missing)")
  }

  private func json(
    _ summary: EvaluationSummary, _ pairs: EvaluationPairs, _ seconds: Double
  ) -> JSON {
    guard case .object(let fields) = summary.json else { return summary.json }
    return .object(
      fields + [
        ("missing_predictions", .array(pairs.missingPredictions.map(JSON.string))),
        ("extra_predictions", .array(pairs.extraPredictions.map(JSON.string))),
        ("seconds", .double(seconds)), ("peak_rss_bytes", .int(peakResidentBytes)),
      ])
  }
}

extension EvaluationSummary {
  /// A row for each class, one for their mean, and what the numbers are.
  fileprivate var text: String {
    let unit = convention.isPooledInVoxels ? "voxels" : "mm"
    let header = ["class"] + metrics.map { $0.isDistance ? "\($0.name) \(unit)" : $0.name }
    let rows = classes.indices.map { place in
      [classes[place].name.escapedForDisplay]
        + metrics.map { cell(mean($0, ofClass: place)) }
    }
    let folders = folders.map {
      [lastComponent(of: $0.path).escapedForDisplay] + $0.summary.overall
    }
    let notes = [
      "\(cases.count) cases, protocol \(convention.rawValue)"
        + (metrics.contains(.nsd) ? ", NSD at \(tolerance) mm" : ""),
      "in brackets: how many cases have a value"
        + (metrics.contains(where: \.isDistance)
          ? "; after the stroke: with the volume's diagonal for missed and invented objects" : ""),
    ]
    return (Table([header] + rows + [["mean"] + overall] + folders).lines + notes).joined(
      separator: "\n")
  }

  /// The mean of every metric over everything.
  private var overall: [String] {
    metrics.map { metric in
      let mean = foregroundMean(metric)
      let penalised = metric.isDistance ? penalisedMean(metric) : nil
      return Self.rounded(mean)
        + (penalised == mean ? "" : penalised.map { " / " + Self.rounded($0) } ?? "")
    }
  }

  private func cell(_ mean: Mean) -> String {
    let penalised = mean.isPenalised ? mean.penalised.map { " / " + Self.rounded($0) } : nil
    return "\(Self.rounded(mean.value)) (\(mean.defined))\(penalised ?? "")"
  }

  private static func rounded(_ value: Double?) -> String {
    guard let value else { return "-" }
    return "\((value * 10000).rounded() / 10000)"
  }
}
