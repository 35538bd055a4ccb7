import ArgumentParser
import Datasets
import Formats
import Inference
import Networks
import Numerics
import Support
import Surgery

struct Predict: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Segment scans: NIfTI in, a NIfTI label map in the scan's own geometry out.",
    discussion: """
      INPUT is a volume, a folder of PNG frames, or a folder of either at any depth; OUT a file
      for one volume, else a folder. Frames give label maps with a palette. Intensities and
      orientation follow the profile that the model carries, or --profile.

      Every slice is the middle of a window of --window slices, and what all windows say of it is
      averaged. --stride 5 takes a fifth of the time and loses the average; --window 0 takes the
      whole volume at once, which needs as much more memory as it is longer.

      Examples:
        wt predict masam.safetensors scan.nii.gz -o labels.nii.gz --preview labels.png
        wt predict masam.safetensors cases/ -o labels/ --profile btcv --continue
        wt predict masam.safetensors scan.nii.gz -o tumour.nii.gz --box3d 90,120,31,140,166,44
        wt predict masam.safetensors scan.nii.gz -o out.nii.gz --box-from rough.nii.gz --relax 5%
      """)

  @Argument(help: "The model.", completion: .file()) var model: String
  @Argument(help: "The scan, or a folder.", completion: .file()) var input: String
  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "path"),
    completion: .file())
  var output: String
  @Option(help: ArgumentHelp("The rules for intensities.", valueName: "name or file"))
  var profile: String?
  @Option(
    help: ArgumentHelp("Slices a window; the model's own if not given.", valueName: "n"))
  var window: Int?
  @Option(help: ArgumentHelp("Slices from a window to the next.", valueName: "n")) var stride = 1
  @OptionGroup(title: "Prompting") var prompting: BoxOptions
  @Option(help: "What matrix products are calculated in.") var precision = Precision.float32
  @Flag(help: "Write the probabilities of all classes too, as HDF5.") var saveProbabilities = false
  @Option(
    help: ArgumentHelp("Write a picture of some slices with outlines.", valueName: "file"),
    completion: .file(extensions: ["png"]))
  var preview: String?
  @Flag(help: "Leave out the cases that are done: labels of the scan's extents are there.")
  var `continue` = false
  @Flag(name: .shortAndLong, help: "Replace outputs that exist.") var force = false
  @Flag(
    name: [.customShort("n"), .long], help: "Print what would be written and write nothing.")
  var dryRun = false
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  /// Slices; no network and no memory makes use of more.
  private static let longestWindow = 1024

  func validate() throws {
    guard window.map({ (0...Self.longestWindow).contains($0) }) ?? true else {
      throw ValidationError(
        "--window must be from 1 to \(Self.longestWindow), or 0 for the whole volume.")
    }
    guard (1...Self.longestWindow).contains(stride), window.map({ $0 == 0 || stride <= $0 }) ?? true
    else {
      throw ValidationError("--stride must be from 1 to --window, or slices are left out.")
    }
    guard !(`continue` && force) else {
      throw ValidationError("--continue leaves done cases out and --force replaces them.")
    }
  }

  func run() throws {
    let stopwatch = Stopwatch()
    let source = try PredictionSource(input)
    try prompting.check(isSingle: source.isSingle)
    for note in source.notes { global.note(note) }
    let labels = try prompting.boxFrom.map(BoxLabels.init)
    let jobs = try jobs(source, labels)
    let checkpoint = try reading.open(model, progress: global.progress)
    if !dryRun { try check(jobs, against: checkpoint) }
    let plan = try Blueprint(importing: checkpoint, toolVersion: toolVersion)
    let profile = try Profile(
      carried: plan.metadata[ModelMetadata.Key.profile.rawValue],
      asked: self.profile.map(ProfileLibrary.profile), model: model)
    guard !dryRun else {
      return try Console.result(
        jobs.map { "\($0.target.path.escapedForDisplay)\($0.isDone ? ": done before" : "")" }
          .joined(separator: "\n"))
    }
    let network = try SegmentAnything(plan, path: model, precision: precision)
    let segmenter = try Segmenter(network, path: model)
    let loaded = stopwatch.seconds
    var reports: [PredictionReport.Case] = []
    for job in jobs {
      let start = Stopwatch()
      let outcome =
        job.isDone ? nil : try predict(job, labels, segmenter, network.architecture, profile)
      reports.append(
        PredictionReport.Case(
          name: job.item.name, target: job.target.path, outcome: outcome, seconds: start.seconds))
    }
    let report = PredictionReport(
      cases: reports, classNames: Self.classNames(network.architecture), profile: profile.name,
      notes: source.notes, load: loaded)
    try Console.result(global.json ? report.json.encoded() : report.text)
  }

  private func predict(
    _ job: PredictionJob, _ labels: BoxLabels?, _ segmenter: Segmenter,
    _ architecture: Architecture, _ profile: Profile
  ) throws -> CasePrediction.Outcome {
    let scan = try job.item.data.scan()
    guard let rule = profile.rule(for: job.item.name) else {
      throw DatasetError(
        .noProfile, file: scan.path,
        found: "the rules of '\(profile.name)' go by the number at the end of a case's name",
        remedy: "choose the profile of one kind of scan with --profile")
    }
    let (window, stride) = try windows(on: scan, architecture)
    let options = PredictionOptions(
      window: window, stride: stride, keepsProbabilities: saveProbabilities)
    let predictor = Predictor(segmenter, orientation: profile.orientation, options: options)
    return try CasePrediction(
      predictor, classNames: Self.classNames(architecture), target: job.target,
      overwrite: force || `continue`
    ).run(
      scan, rule: rule, box: prompting.box(for: job.item, in: labels, scan), preview: job.preview,
      progress: global.progress)
  }

  /// A window's slices and those from one to the next, which no scan needs more of than it has.
  private func windows(
    on scan: any Scan, _ architecture: Architecture
  ) throws -> (window: Int, stride: Int) {
    let own = min(max(1, architecture.slices ?? 5), Self.longestWindow)
    guard let window else {
      guard stride <= own else {
        throw ValidationError("--stride must be at most the \(own) slices of the model's windows.")
      }
      return (own, stride)
    }
    let most = max(own, scan.slices)
    if window > most {
      global.note("windows of \(most) slices, as '\(scan.path.escapedForDisplay)' has no more")
    }
    let length = window == 0 ? scan.slices : min(window, most)
    guard length <= Self.longestWindow else {
      throw ValidationError(
        "--window 0 takes volumes of at most \(Self.longestWindow) slices, not of \(length).")
    }
    return (length, window == 0 ? length : min(stride, length))
  }

  private static func classNames(_ architecture: Architecture) -> [String] {
    guard let names = architecture.classNames, names.count == architecture.classes else {
      return (0..<architecture.classes).map { "class \($0 + 1)" }
    }
    return names
  }
}
