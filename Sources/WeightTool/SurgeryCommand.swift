import ArgumentParser
import Formats
import Surgery

struct SurgeryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "surgery",
    abstract: "Make a model by a recipe: a YAML list of operations.",
    discussion: """
      A recipe names the checkpoint to start from under 'base', and the 'operations' on it in
      order. 'wt adapt' and the other commands print theirs with --print-recipe.

      Examples:
        wt adapt sam.pth -o x --classes 12 --print-recipe > adapt.yaml
        wt surgery adapt.yaml -o masam.safetensors
        wt surgery adapt.yaml --base other_sam.pth -o other.safetensors --dry-run
      """)

  @Argument(help: "The recipe.", completion: .file(extensions: ["yaml", "yml"]))
  var recipe: String
  @Option(
    help: ArgumentHelp("The checkpoint to start from instead of the recipe's.", valueName: "file"),
    completion: .file())
  var base: String?
  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "file"),
    completion: .file(extensions: ["safetensors"]))
  var output: String
  @OptionGroup var options: SurgeryOptions

  /// Far more than a list of operations takes.
  private static let largestRecipe = 1 << 20

  func validate() throws { _ = try options.writing.format(.safeTensors, for: output) }

  func run() throws {
    let file = try InputFile(recipe)
    guard file.size <= Self.largestRecipe else {
      throw SurgeryError(
        .badRecipe, file: recipe, expected: "at most \(Self.largestRecipe) bytes",
        found: "\(file.size)")
    }
    var parsed = try Recipe(
      yaml: String(decoding: try file.bytes(0..<file.size), as: UTF8.self), file: recipe)
    parsed.base = base ?? parsed.base
    guard let base = parsed.base else {
      throw SurgeryError(
        .badRecipe, file: recipe, subject: "base", expected: "a checkpoint to start from",
        remedy: "name it in the recipe or with --base")
    }
    try SurgeryJob(
      recipe: parsed, base: options.printRecipe ? Blueprint() : options.plan(base),
      inputs: [base] + parsed.otherInputs, output: output, options: options, recipePath: recipe
    ).run()
  }
}
