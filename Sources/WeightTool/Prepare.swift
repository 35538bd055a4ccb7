import ArgumentParser
import Datasets
import Formats
import Support

struct Prepare: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prepare",
    abstract: "Turn scans with labels into training data.",
    discussion: """
      SOURCE is a folder: images/ beside labels/ (or imagesTr/ beside labelsTr/, img/ beside
      label/), volumes beside their labels (NAME.nii.gz, NAME_seg.nii.gz), numpy or HDF5 files
      that hold 'image' and 'label', or for each video a folder of PNG frames beside one of
      labels; all at any depth. Every file is checked before anything is written.

      Profiles: \(ProfileLibrary.names.joined(separator: ", ")), or a YAML file of your own.

      Examples:
        wt prepare RawData/Training -o btcv.h5 --profile btcv
        wt prepare Task07_Pancreas -o fold2.h5 --profile msd-pancreas --fold 2
        wt prepare scans -o data.h5 --profile mine.yaml --dry-run
      """)

  @Argument(help: "The folder of scans and labels.", completion: .directory) var source: String
  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "file"),
    completion: .file(extensions: ["h5", "hdf5"]))
  var output: String
  @Option(help: ArgumentHelp("The rules to apply.", valueName: "name or file")) var profile: String
  @Option(help: ArgumentHelp("Which of the profile's folds.", valueName: "n")) var fold = 0
  @Flag(name: .shortAndLong, help: "Replace the output if it exists.") var force = false
  @Flag(
    name: [.customShort("n"), .long], help: "Check everything, print the cases, write nothing.")
  var dryRun = false
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func run() throws {
    let stopwatch = Stopwatch()
    let rules = try ProfileLibrary.profile(profile)
    let layout = try SourceLayout(source)
    if !dryRun { try checkOutput(layout) }
    let preparation = try Preparation(
      layout, profile: rules, fold: fold, progress: global.progress)
    let checked = stopwatch.seconds
    for note in preparation.notes { global.note(note) }
    if !dryRun {
      try preparation.write(to: output, overwrite: force, toolVersion: toolVersion)
    }
    let times = JSON.seconds(load: checked, save: stopwatch.seconds - checked)
    try Console.result(
      global.json ? json(preparation, times).encoded() : text(preparation))
  }

  /// Nothing that is read, and nothing that lies among it, may be the output.
  private func checkOutput(_ layout: SourceLayout) throws {
    let inputs = layout.files + [ProfileLibrary.path(of: profile)].compactMap { $0 }
    try AtomicFile.checkTarget(output, overwrite: force, besides: inputs)
  }

  private func text(_ preparation: Preparation) -> String {
    let cases = preparation.description.cases
    let rows = cases.map {
      [
        $0.name.escapedForDisplay, $0.split.rawValue, "\($0.slices) slices",
        "\($0.height) × \($0.width)",
      ]
    }
    let counts = DatasetSplit.allCases.map { split in
      "\(cases.count { $0.split == split }) \(split.rawValue)"
    }
    let target = dryRun ? "nothing was written" : output.escapedForDisplay
    return
      (Table(rows).lines + [
        "\(target): \(cases.count) cases (\(counts.joined(separator: ", "))), "
          + "\(preparation.description.classNames.count) classes"
      ]).joined(separator: "\n")
  }

  private func json(_ preparation: Preparation, _ times: JSON) -> JSON {
    .object([
      ("output", dryRun ? .null : .string(output)), ("profile", .string(preparation.profile.name)),
      ("classes", .array(preparation.description.classNames.map(JSON.string))),
      (
        "cases",
        .array(
          preparation.description.cases.map {
            .object([
              ("name", .string($0.name)), ("split", .string($0.split.rawValue)),
              ("slices", .int($0.slices)), ("channels", .int($0.channels)),
              ("height", .int($0.height)), ("width", .int($0.width)),
            ])
          })
      ), ("notes", .array(preparation.notes.map(JSON.string))), ("seconds", times),
      ("peak_rss_bytes", .int(peakResidentBytes)),
    ])
  }
}
