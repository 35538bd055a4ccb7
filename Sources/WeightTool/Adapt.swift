import ArgumentParser
import Formats
import Surgery

/// `--fact-kind`, with none besides the kinds there are.
enum FactorChoice: String, CaseIterable, ExpressibleByArgument {
  case tt, tk, lora, none
}

extension InjectAdapters.Placement: ExpressibleByArgument {}
extension InjectAdapters.Start: ExpressibleByArgument {}
extension Architecture.DecoderKind: ExpressibleByArgument {}

struct Adapt: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "adapt",
    abstract: "Make the MA-SAM model to train of a SAM.",
    discussion: """
      Resizes the positions, adds FacT factors and 3D adapters, and swaps the decoder. New tensors
      start as PyTorch's layers would, from a seed of their own each; with --adapter-init zero the
      encoder computes what SAM's did until training starts.

      Examples:
        wt adapt sam_vit_h.safetensors -o masam.safetensors --classes 12
        wt adapt sam_vit_b.pth -o small.safetensors --class-names liver,tumour --rank 8
        wt adapt sam_vit_b.pth -o plain.safetensors --classes 1 --fact-kind none --dry-run
      """)

  @Argument(help: "The SAM to adapt.", completion: .file()) var base: String

  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "file"),
    completion: .file(extensions: ["safetensors"]))
  var output: String

  @Option(help: ArgumentHelp("Foreground classes; token 0 is background.", valueName: "n"))
  var classes: Int?
  @Option(help: ArgumentHelp("Names of the classes, with commas between.", valueName: "list"))
  var classNames: String?
  @Option(help: ArgumentHelp("The form of the factors.", valueName: "kind"))
  var factKind = FactorChoice.tt
  @Option(help: ArgumentHelp("The factors' rank.", valueName: "r")) var rank = 32
  @Option(help: ArgumentHelp("The factors' scale.", valueName: "s")) var scale = 1.0
  @Option(
    help: ArgumentHelp("Blocks that get factors, such as 0-3,7; all by default.", valueName: "list")
  )
  var factBlocks: IndexList?
  @Option(help: ArgumentHelp("Pixels a side.", valueName: "p")) var imageSize = 512
  @Option(help: ArgumentHelp("Slices that the model sees at once.", valueName: "n"))
  var slices = 5
  @Option(help: ArgumentHelp("Channels of the adapters.", valueName: "c"))
  var adapterChannels = 384
  @Option(help: ArgumentHelp("Where adapters stand to attention.", valueName: "place"))
  var adapterPlacement = InjectAdapters.Placement.both
  @Option(help: ArgumentHelp("How adapters start.", valueName: "start"))
  var adapterInit = InjectAdapters.Start.zero
  @Option(help: ArgumentHelp("The decoder.", valueName: "kind"))
  var decoder = Architecture.DecoderKind.progressive
  @Option(help: ArgumentHelp("What all random numbers follow from.", valueName: "n"))
  var seed = RecipeStep.defaultSeed

  @OptionGroup var options: SurgeryOptions

  private var names: [String]? {
    classNames.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
  }

  func validate() throws {
    guard classes != nil || classNames != nil else {
      throw ValidationError("Give --classes N or --class-names LIST.")
    }
    if let classes, let names, classes != names.count {
      throw ValidationError("--classes is \(classes), but --class-names has \(names.count).")
    }
    _ = try options.writing.format(.safeTensors, for: output)
  }

  func run() throws {
    let recipe = Recipe(base: base, steps: steps)
    try SurgeryJob(
      recipe: recipe, base: options.printRecipe ? Blueprint() : options.plan(base),
      inputs: [base], output: output, options: options
    ).run()
  }

  private var steps: [RecipeStep] {
    let seed = RecipeStep.Value.scalar("\(seed)")
    var steps = [
      RecipeStep("record-base"), RecipeStep("resize", [("image-size", .number(imageSize))]),
    ]
    if factKind != .none {
      steps.append(
        RecipeStep(
          "inject-factors",
          [
            ("kind", .scalar(factKind.rawValue)), ("rank", .number(rank)),
            ("scale", factKind == .lora && scale == 1 ? nil : .number(scale)),
            ("blocks", .numbers(factBlocks?.indices)), ("seed", seed),
          ]))
    }
    if adapterPlacement != .none {
      steps.append(
        RecipeStep(
          "inject-adapters",
          [
            ("channels", .number(adapterChannels)),
            ("placement", .scalar(adapterPlacement.rawValue)),
            ("init", .scalar(adapterInit.rawValue)), ("seed", seed),
          ]))
    }
    let count = classes ?? names?.count ?? 0
    return steps + [
      RecipeStep(
        "swap-decoder",
        [
          ("kind", .scalar(decoder.rawValue)), ("classes", .number(count)),
          ("class-names", .texts(names)), ("seed", seed),
        ]), RecipeStep("set-slices", [("count", .number(slices))]),
    ]
  }
}

/// Whole numbers and ranges of them: `0-3,7`.
struct IndexList: ExpressibleByArgument, Sendable {
  var indices: [Int]

  /// More blocks than any encoder has; keeps a typing error from filling memory.
  private static let limit = 4096

  init?(argument: String) {
    var indices: [Int] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
        0 <= first, first <= last, last < Self.limit
      else { return nil }
      indices += first...last
    }
    self.indices = indices
  }
}
