import PlainYAML
import Support
import Yams

/// A model's making, declaratively: a base and the operations on it, in order.
public struct Recipe: Sendable, Equatable {
  /// The path of the checkpoint to start from, where the recipe names one.
  public var base: String?
  public var steps: [RecipeStep]

  public init(base: String? = nil, steps: [RecipeStep]) {
    self.base = base
    self.steps = steps
  }

  /// Reads a recipe, refusing every key that nothing reads.
  ///
  /// - Throws: `SurgeryError` with code `badRecipe`.
  public init(yaml: String, file: String) throws {
    do {
      guard let root = try PlainYAML.compose(yaml) else {
        throw SurgeryError(.badRecipe, expected: "a mapping")
      }
      let fields = try YAMLFields(root, allowed: ["base", "operations"], orElse: .badRecipe)
      base = try fields.text("base")
      guard let list = fields.node("operations")?.sequence, !list.isEmpty else {
        throw SurgeryError(.badRecipe, subject: "operations", expected: "a list of operations")
      }
      steps = try list.map(Self.step)
    } catch var error as SurgeryError {
      error.file = error.file ?? file
      throw error
    } catch let error as YAMLFault {
      throw SurgeryError(.badRecipe, file: file, found: "\(error)")
    }
  }

  private static func step(_ node: Node) throws -> RecipeStep {
    if let name = node.scalar?.string { return RecipeStep(name) }
    let pairs = try mappingPairs(node, orElse: .badRecipe)
    guard let step = pairs.first, pairs.count == 1 else {
      throw SurgeryError(.badRecipe, expected: "one operation an item")
    }
    return RecipeStep(
      step.key,
      try mappingPairs(step.value, orElse: .badRecipe).map { key, value in
        value.sequence == nil
          ? (key, .scalar(try scalarText(value, orElse: .badRecipe)))
          : (key, .list(try scalarTexts(value, orElse: .badRecipe)))
      })
  }

  /// The recipe as YAML that reads back as the same.
  public var yaml: String {
    let list = "operations:\n" + steps.map { "  \($0.yaml)\n" }.joined()
    return (base.map { "base: \(JSON.quoted($0))\n" } ?? "") + list
  }
}
