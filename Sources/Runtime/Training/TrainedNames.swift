import Formats
import Networks
import Surgery

/// Which tensors of a model are trained: what MA-SAM trains, unless patterns say otherwise.
struct TrainedNames {
  private let model: Architecture
  private let added: [Regex<AnyRegexOutput>]
  private let frozen: [Regex<AnyRegexOutput>]

  init(_ model: Architecture, _ configuration: TrainingConfiguration) throws {
    self.model = model
    added = try configuration.trainPatterns.map { try Regex($0) }
    frozen = try configuration.freezePatterns.map { try Regex($0) }
  }

  func contains(_ name: TensorName) -> Bool {
    let text = name.text
    if frozen.contains(where: { text.firstMatch(of: $0) != nil }) { return false }
    return ExtractDelta.isTrainable(name, model)
      || added.contains { text.firstMatch(of: $0) != nil }
  }
}

extension TrainingConfiguration {
  /// Loads a model so that it can be trained.
  ///
  /// - Parameter plan: of a model with all of its parts.
  /// - Throws: `TrainingError` when nothing of it would be trained; what loading throws.
  public func load(_ plan: Blueprint, path: String) throws -> SegmentAnything {
    let architecture = try Architecture(plan)
    try SegmentAnything.checkTrainable(architecture, path: path)
    let names = try TrainedNames(architecture, self)
    try checkPatterns(plan, path)
    let model = try SegmentAnything(
      plan, path: path, precision: precision, factors: .beside, maps: true,
      trains: names.contains)
    guard !model.trained.isEmpty else {
      throw TrainingError(
        .badConfiguration, file: path, expected: "tensors to train",
        found: "patterns that leave none")
    }
    return model
  }

  /// Checks that every pattern names something: one that does not is misspelled.
  private func checkPatterns(_ plan: Blueprint, _ path: String) throws {
    for pattern in trainPatterns + freezePatterns {
      let expression = try Regex(pattern)
      guard !plan.entries.contains(where: { $0.info.name.text.firstMatch(of: expression) != nil })
      else { continue }
      throw TrainingError(
        .badConfiguration, file: path, subject: pattern,
        expected: "a pattern that matches a tensor of the model", found: "none")
    }
  }
}
