import ArgumentParser
import Formats
import Surgery

struct Apply: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Put a delta beside its base, as one model that can still be trained.",
    discussion: """
      The base is resized to the delta's image size, and the delta's decoder replaces the base's.

      Examples:
        wt apply epoch_159.pth --base sam_vit_h_4b8939.pth -o masam.safetensors
        wt apply delta.safetensors --base sam_vit_b.safetensors -o model.safetensors --dry-run
      """)

  @Argument(help: "The delta.", completion: .file()) var delta: String
  @Option(
    help: ArgumentHelp("The SAM that it was trained on.", valueName: "file"), completion: .file())
  var base: String
  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "file"),
    completion: .file(extensions: ["safetensors"]))
  var output: String
  @OptionGroup(title: "Delta") var settings: DeltaOptions
  @OptionGroup var options: SurgeryOptions

  func validate() throws { _ = try options.writing.format(.safeTensors, for: output) }

  func run() throws {
    try SurgeryJob(
      recipe: Recipe(base: base, steps: [settings.step(delta)]),
      base: options.printRecipe ? Blueprint() : options.plan(base), inputs: [delta, base],
      output: output, options: options
    ).run()
  }
}

struct Extract: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extract",
    abstract: "Keep of a model what training changes: factors, adapters, prompt encoder, decoder.",
    discussion: """
      Examples:
        wt extract masam.safetensors -o delta.safetensors
      """)

  @Argument(help: "The model.", completion: .file()) var model: String
  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "file"),
    completion: .file(extensions: ["safetensors"]))
  var output: String
  @OptionGroup var options: SurgeryOptions

  func validate() throws { _ = try options.writing.format(.safeTensors, for: output) }

  func run() throws {
    try SurgeryJob(
      recipe: Recipe(base: model, steps: [RecipeStep("extract-delta")]),
      base: options.printRecipe ? Blueprint() : options.plan(model), inputs: [model],
      output: output, options: options
    ).run()
  }
}

struct UnmergeFact: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unmerge-fact",
    abstract: "Take merged factors out of a model again.",
    discussion: """
      The weights come back within one rounding of what they were.

      Examples:
        wt unmerge-fact deploy.safetensors --delta epoch_159.pth -o masam.safetensors
      """)

  @Argument(help: "The merged model.", completion: .file()) var merged: String
  @Option(
    help: ArgumentHelp("What holds the factors that were merged.", valueName: "file"),
    completion: .file())
  var delta: String
  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "file"),
    completion: .file(extensions: ["safetensors"]))
  var output: String
  @Option(help: ArgumentHelp("The scale they were merged with.", valueName: "s"))
  var scale: Double?
  @OptionGroup var options: SurgeryOptions

  func validate() throws { _ = try options.writing.format(.safeTensors, for: output) }

  func run() throws {
    let step = RecipeStep(
      "unmerge-factors", [("delta", .scalar(delta)), ("scale", .number(scale))])
    try SurgeryJob(
      recipe: Recipe(base: merged, steps: [step]),
      base: options.printRecipe ? Blueprint() : options.plan(merged), inputs: [merged, delta],
      output: output, options: options
    ).run()
  }
}
