import ArgumentParser
import Formats
import Support
import Surgery

struct MergeFact: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge-fact",
    abstract: "Fold FacT or LoRA factors into the weights they change.",
    discussion: """
      CHECKPOINT is a whole model or a delta such as MA-SAM's or SAMed's .pth; a delta needs the
      base it was trained on. Only rows of q and v change; the rest keeps its bytes.

      Examples:
        wt merge-fact masam.safetensors
        wt merge-fact epoch_159.pth --base sam_vit_h_4b8939.pth -o deploy.safetensors
        wt merge-fact lora.pth --base sam_vit_b_01ec64.pth --dry-run
      """,
    aliases: ["merge"])

  @Argument(help: "The model or delta.", completion: .file()) var checkpoint: String

  @Option(help: ArgumentHelp("The SAM that a delta was trained on.", valueName: "file"))
  var base: String?
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Where to write; the input's name with .merged.safetensors by default.", valueName: "file"))
  var output: String?
  @OptionGroup(title: "Delta") var delta: DeltaOptions
  @Flag(help: "Leave out the check of every product by another one.") var noVerify = false

  @OptionGroup var options: SurgeryOptions

  private var target: String {
    output ?? ImportCommand.defaultOutput(for: checkpoint, ending: ".merged.safetensors")
  }

  func validate() throws { _ = try options.writing.format(.safeTensors, for: target) }

  func run() throws {
    let merge = RecipeStep(
      "merge-factors",
      [("scale", .number(delta.scale)), ("verify", noVerify ? .scalar("false") : nil)])
    let model = options.printRecipe && base == nil ? Blueprint() : try options.plan(checkpoint)
    if let base, try Architecture(model).isDelta {
      try SurgeryJob(
        recipe: Recipe(base: base, steps: [delta.step(checkpoint), merge]),
        base: options.printRecipe ? Blueprint() : options.plan(base), inputs: [checkpoint, base],
        output: target, options: options, opened: [checkpoint: model]
      ).run()
    } else {
      if base != nil { options.global.note("a whole model needs no --base: it is not used") }
      try SurgeryJob(
        recipe: Recipe(base: checkpoint, steps: delta.stepsOfWholeModel + [merge]), base: model,
        inputs: [checkpoint], output: target, options: options
      ).run()
    }
  }
}

/// What completes or corrects a delta's metadata.
struct DeltaOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("The factors' scale, over what the file or config.txt says.", valueName: "s")
  )
  var scale: Double?
  @Option(
    help: ArgumentHelp("Pixels a side, over what the file or config.txt says.", valueName: "p"))
  var imageSize: Int?
  @Option(help: ArgumentHelp("Slices that the model sees at once.", valueName: "n"))
  var slices: Int?
  @Flag(help: "Accept a base with another content hash than the delta's own.")
  var allowDifferentBase = false

  func step(_ path: String) -> RecipeStep {
    RecipeStep(
      "apply-delta",
      [
        ("delta", .scalar(path)), ("scale", .number(scale)), ("image-size", .number(imageSize)),
        ("slices", .number(slices)),
        ("allow-different-base", allowDifferentBase ? .scalar("true") : nil),
      ])
  }

  var stepsOfWholeModel: [RecipeStep] {
    [
      imageSize.map { RecipeStep("resize", [("image-size", .number($0))]) },
      slices.map { RecipeStep("set-slices", [("count", .number($0))]) },
    ].compactMap { $0 }
  }
}
