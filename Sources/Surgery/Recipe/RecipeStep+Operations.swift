import Formats

extension RecipeStep {
  /// What `--seed` is when nobody says; MA-SAM's own.
  public static let defaultSeed: UInt64 = 1234

  private typealias Maker =
    @Sendable (inout RecipeArguments, RecipeContext) throws -> any Operation

  private static let makers: [String: Maker] = [
    "record-base": { _, _ in RecordBase() },
    "resize": { arguments, _ in Resize(imageSize: try arguments.required("image-size")) },
    "inject-factors": injectFactors,
    "inject-adapters": { arguments, _ in
      InjectAdapters(
        channels: try arguments.count("channels") ?? 384,
        placement: try arguments.choice("placement") ?? .both,
        start: try arguments.choice("init") ?? .zero, seed: try arguments.seed())
    },
    "swap-decoder": { arguments, _ in
      SwapDecoder(
        kind: try arguments.choice("kind") ?? .progressive,
        classes: try arguments.required("classes"), classNames: try arguments.texts("class-names"),
        seed: try arguments.seed())
    },
    "set-slices": { arguments, _ in SetSlices(count: try arguments.required("count")) },
    "set-classes": setClasses,
    "apply-delta": applyDelta,
    "extract-delta": { _, _ in ExtractDelta() },
    "merge-factors": { arguments, context in
      MergeFactors(
        scale: try arguments.number("scale"), verifies: try arguments.flag("verify") ?? true,
        measurements: context.measurements)
    },
    "unmerge-factors": { arguments, context in
      UnmergeFactors(
        delta: try context.open(try arguments.requiredText("delta")),
        scale: try arguments.number("scale"), measurements: context.measurements)
    },
    "factors-to-lora": { arguments, _ in
      FactorsToLoRA(
        scale: try arguments.number("scale"), keepsRank: try arguments.flag("keep-rank") ?? false)
    },
    "cast": { arguments, context in
      Cast(dtype: try arguments.dtype("dtype"), report: context.rounding)
    },
    "average": { arguments, context in
      Average(with: try (arguments.texts("with") ?? []).map(context.open))
    },
    "express": { arguments, _ in
      guard let form: Express.Form = try arguments.choice("form") else {
        throw RecipeArguments.missing("form")
      }
      return Express(
        form, scale: try arguments.number("scale"),
        keepsRank: try arguments.flag("keep-rank") ?? false)
    },
  ]

  private static let injectFactors: Maker = { arguments, _ in
    InjectFactors(
      kind: try arguments.choice("kind") ?? .tt, rank: try arguments.count("rank") ?? 32,
      scale: try arguments.number("scale") ?? 1, blocks: try arguments.counts("blocks"),
      seed: try arguments.seed())
  }

  private static let setClasses: Maker = { arguments, _ in
    let (map, added) = (try arguments.texts("map"), try arguments.texts("add"))
    switch (map, added) {
    case (let map?, nil):
      return SetClasses(.map(try map.map(classSpecification)), seed: try arguments.seed())
    case (nil, let added?): return SetClasses(.add(added), seed: try arguments.seed())
    default:
      throw SurgeryError(.badRecipe, subject: "set-classes", expected: "either map or add")
    }
  }

  private static let applyDelta: Maker = { arguments, context in
    ApplyDelta(
      delta: try context.open(try arguments.requiredText("delta")),
      scale: try arguments.number("scale"), imageSize: try arguments.count("image-size"),
      slices: try arguments.count("slices"),
      allowsDifferentBase: try arguments.flag("allow-different-base") ?? false)
  }

  /// A class as it is written: `new:old`, `new:old+other` or `new:`.
  ///
  /// - Throws: `SurgeryError` with code `badRecipe`.
  private static func classSpecification(_ text: String) throws -> SetClasses.Class {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 else {
      throw SurgeryError(
        .badRecipe, subject: text, expected: "new:old, new:old+other for a mean, or new: alone")
    }
    return SetClasses.Class(
      name: parts[0], sources: parts[1].split(separator: "+").map(String.init))
  }

  /// - Throws: `SurgeryError` with code `badRecipe` for unknown names, keys and values.
  func operation(_ context: RecipeContext) throws -> any Operation {
    guard let make = Self.makers[name] else {
      throw SurgeryError(
        .badRecipe, subject: name,
        expected: "one of \(Self.makers.keys.sorted().joined(separator: ", "))")
    }
    var arguments = RecipeArguments(self)
    let operation = try make(&arguments, context)
    try arguments.checkAllUsed()
    return operation
  }
}
