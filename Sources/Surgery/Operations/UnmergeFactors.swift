import Formats

/// Takes updates out of a merged model again and puts the factors back beside the weights.
///
/// The weights come back within one rounding of what they were before the merge.
public struct UnmergeFactors: Operation {
  /// The model or delta that holds the factors that were merged.
  public var delta: Blueprint
  public var scale: Double?
  public let measurements: MergeMeasurements

  public init(
    delta: Blueprint, scale: Double? = nil, measurements: MergeMeasurements = MergeMeasurements()
  ) {
    self.delta = delta
    self.scale = scale
    self.measurements = measurements
  }

  public func apply(to blueprint: inout Blueprint) throws {
    let (model, encoder) = try blueprint.encoderArchitecture()
    let source = try Architecture(delta)
    guard let merged = model.merged, model.factors == nil else {
      throw SurgeryError(
        .notAdapted, expected: "a merged model",
        found: "no '\(ModelMetadata.Key.merged.rawValue)' in its metadata")
    }
    guard !source.decoder.hasFactors else {
      throw SurgeryError(
        .wrongPairing, file: delta.sources.first?.path,
        expected: "factors in the encoder only, which alone can be taken out again",
        found: "LoRA in the decoder as well",
        remedy: "apply the delta to its base again with 'wt apply'")
    }
    guard let factors = source.factors, factors.kind.rawValue == merged else {
      throw SurgeryError(
        .wrongPairing, expected: "the \(merged.shortened()) factors that were merged",
        found: source.factors.map { "\($0.kind.rawValue) factors" } ?? "no factors in the encoder")
    }
    try naming(delta) { try Pairing.check(source, fits: model, encoder) }
    try checkOrigin(model, source, ModelMetadata(blueprint.metadata))
    let mergedScale = try ModelMetadata(blueprint.metadata).mergedScale
    let scale = try MergeFactors.scale(scale ?? mergedScale, factors, &blueprint)
    for update in try blueprint.encoderUpdates(
      factors, encoder, from: delta, scale: scale, sign: -1, measurements)
    {
      blueprint.put(try update.entry("unmerged"))
    }
    blueprint.entries += delta.entries.filter { FactorNames.contains($0.info.name) }
    var metadata = ModelMetadata(blueprint.metadata)
    metadata[.merged] = nil
    metadata[.mergedScale] = nil
    metadata[.mergedFactors] = nil
    if factors.kind != .lora { metadata[.factorScale] = "\(scale)" }
    if factors.blocks.count < encoder.depth {
      metadata[.factorBlocks] = factors.blocks.map(String.init).joined(separator: ",")
    }
    blueprint.metadata = metadata.entries
  }

  /// Checks that the factors are those that were merged, as far as the files say so.
  private func checkOrigin(
    _ model: Architecture, _ source: Architecture, _ metadata: ModelMetadata
  ) throws {
    let remedy = "give the delta that was merged"
    guard let expected = metadata[.mergedFactors] else {
      guard let base = model.base, let other = source.base, base != other else { return }
      throw SurgeryError(
        .wrongPairing, file: delta.sources.first?.path,
        expected: "factors trained on base \(base.shortened())", found: "on \(other.shortened())",
        remedy: remedy)
    }
    let found = try delta.factorDigest()
    guard found != expected else { return }
    throw SurgeryError(
      .wrongPairing, file: delta.sources.first?.path,
      expected: "the factors that were merged, of content hash \(expected.shortened())",
      found: found, remedy: remedy)
  }
}
