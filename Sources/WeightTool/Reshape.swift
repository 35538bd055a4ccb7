import ArgumentParser
import Formats
import Surgery

struct SetClassesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set-classes",
    abstract: "Keep, permute, merge or add classes.",
    discussion: """
      --map gives the complete new list; an old class is named by its name or its number from 1,
      two with + between become their mean, none starts a new one. Background stays.

      Examples:
        wt set-classes model.safetensors -o two.safetensors --map liver:6,spleen:1
        wt set-classes model.safetensors -o one.safetensors --map kidney:left+right
        wt set-classes model.safetensors -o more.safetensors --add tumour
      """)

  @Argument(help: "The model or delta.", completion: .file()) var model: String
  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "file"),
    completion: .file(extensions: ["safetensors"]))
  var output: String
  @Option(help: ArgumentHelp("The new classes, each with its old one.", valueName: "new:old,…"))
  var map: String?
  @Option(help: ArgumentHelp("Classes to add behind the others.", valueName: "new,…"))
  var add: String?
  @Option(help: ArgumentHelp("What all random numbers follow from.", valueName: "n"))
  var seed = RecipeStep.defaultSeed
  @OptionGroup var options: SurgeryOptions

  func validate() throws {
    guard (map == nil) != (add == nil) else {
      throw ValidationError("Give either --map or --add.")
    }
    _ = try options.writing.format(.safeTensors, for: output)
  }

  func run() throws {
    let list = { (text: String) in
      RecipeStep.Value.list(
        text.split(separator: ",", omittingEmptySubsequences: false).map(String.init))
    }
    let step = RecipeStep(
      "set-classes",
      [("map", map.map(list)), ("add", add.map(list)), ("seed", .scalar("\(seed)"))])
    try SurgeryJob(
      recipe: Recipe(base: model, steps: [step]),
      base: options.printRecipe ? Blueprint() : options.plan(model), inputs: [model],
      output: output, options: options
    ).run()
  }
}

struct CastCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cast",
    abstract: "Store all floating-point tensors in another type, and report what rounding does.",
    discussion: """
      Examples:
        wt cast model.safetensors -o half.safetensors --dtype f16
        wt cast model.safetensors -o brain.safetensors --dtype bf16
      """)

  enum Target: String, CaseIterable, ExpressibleByArgument { case bf16, f16, f32 }

  @Argument(help: "The model or delta.", completion: .file()) var model: String
  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "file"),
    completion: .file(extensions: ["safetensors"]))
  var output: String
  @Option(help: ArgumentHelp("The type to store.", valueName: "type")) var dtype: Target
  @OptionGroup var options: SurgeryOptions

  func validate() throws { _ = try options.writing.format(.safeTensors, for: output) }

  func run() throws {
    let step = RecipeStep("cast", [("dtype", .scalar(dtype.rawValue))])
    try SurgeryJob(
      recipe: Recipe(base: model, steps: [step]),
      base: options.printRecipe ? Blueprint() : options.plan(model), inputs: [model],
      output: output, options: options
    ).run()
  }
}

struct AverageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "average",
    abstract: "Make the mean of several checkpoints of one form.",
    discussion: """
      Examples:
        wt average epoch_140.pth epoch_150.pth epoch_159.pth -o mean.safetensors
      """)

  @Argument(help: "The checkpoints, two or more.", completion: .file()) var models: [String]
  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "file"),
    completion: .file(extensions: ["safetensors"]))
  var output: String
  @OptionGroup var options: SurgeryOptions

  func validate() throws {
    guard models.count > 1 else { throw ValidationError("Give two checkpoints or more.") }
    _ = try options.writing.format(.safeTensors, for: output)
  }

  func run() throws {
    let step = RecipeStep("average", [("with", .texts(Array(models.dropFirst())))])
    try SurgeryJob(
      recipe: Recipe(base: models[0], steps: [step]),
      base: options.printRecipe ? Blueprint() : options.plan(models[0]), inputs: models,
      output: output, options: options
    ).run()
  }
}
