import Formats
import Support

/// What steps need besides their arguments.
public struct RecipeContext: Sendable {
  /// Opens another checkpoint that a step names.
  public var open: @Sendable (String) throws -> Blueprint
  public var measurements = MergeMeasurements()
  public var rounding = RoundingReport()

  public init(
    open: @escaping @Sendable (String) throws -> Blueprint
  ) {
    self.open = open
  }
}

extension Recipe {
  /// Plans the model that the steps make of a base.
  ///
  /// - Throws: `SurgeryError` with code `badRecipe`, or what the operations throw.
  public func plan(
    from base: Blueprint, toolVersion: String, _ context: RecipeContext
  ) throws -> Blueprint {
    var blueprint = base
    for step in steps {
      let operation = try step.operation(context)
      try naming(blueprint) { try operation.apply(to: &blueprint) }
    }
    var metadata = ModelMetadata(blueprint.metadata)
    metadata[.version] = toolVersion
    metadata[.recipe] = steps.map(\.withoutPaths.yaml).joined(separator: "\n")
    if metadata[.family] != nil {
      metadata[.family] = try naming(base) { try Architecture(anyDialectOf: blueprint).family }
    }
    blueprint.metadata = metadata.entries
    return blueprint
  }
}

/// Completes errors with the file that a plan starts from.
public func naming<Result>(_ blueprint: Blueprint, _ body: () throws -> Result) throws -> Result {
  do {
    return try body()
  } catch var error as SurgeryError where error.file == nil {
    error.file = blueprint.sources.first?.path
    throw error
  }
}

extension Recipe {
  /// The checkpoints that are read besides the base.
  public var otherInputs: [String] {
    steps.flatMap(\.arguments).filter { RecipeStep.paths.contains($0.key) }.flatMap { argument in
      switch argument.value {
      case .scalar(let path): [path]
      case .list(let paths): paths
      }
    }
  }
}

extension RecipeStep {
  /// Arguments that are paths, which say something of this machine only.
  fileprivate static let paths: Set<String> = ["delta", "with"]

  fileprivate var withoutPaths: RecipeStep {
    var step = self
    step.arguments.removeAll { Self.paths.contains($0.key) }
    return step
  }
}
