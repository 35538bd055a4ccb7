import Formats

/// Adds FacT's or LoRA's updates to the weights they belong to and drops the factors.
///
/// Only q and v rows change; k rows, biases and all other tensors keep their bytes.
/// Source: Chen et al., "MA-SAM" (2023), equation 2: W = W₀ + s·U·Σ·Vᵀ, in the orientation of
/// `nn.Linear`, [out, in].
public struct MergeFactors: Operation {
  /// Replaces the scale that the metadata says.
  public var scale: Double?
  /// Whether every row of an update is held against a product calculated in another order.
  public var verifies: Bool
  public let measurements: MergeMeasurements

  public init(
    scale: Double? = nil, verifies: Bool = true,
    measurements: MergeMeasurements = MergeMeasurements()
  ) {
    self.scale = scale
    self.verifies = verifies
    self.measurements = measurements
  }

  public func apply(to blueprint: inout Blueprint) throws {
    let (model, encoder) = try blueprint.encoderArchitecture()
    guard model.factors != nil || model.decoder.hasFactors else {
      throw model.merged == nil
        ? SurgeryError(
          .notAdapted, expected: "a model with FacT or LoRA factors",
          found: "family '\(model.family)' without any",
          remedy:
            "there is nothing to merge: a whole model is used as it is, and 'wt apply' puts a "
            + "delta beside its base")
        : SurgeryError.merged(model)
    }
    guard model.merged == nil else { throw SurgeryError.merged(model) }
    var metadata = ModelMetadata(blueprint.metadata)
    if let factors = model.factors {
      let scale = try MergeFactors.scale(scale, factors, &blueprint)
      for update in try blueprint.encoderUpdates(
        factors, encoder, from: blueprint, scale: scale, sign: 1, measurements)
      {
        blueprint.put(try update.entry("merged", verifies: verifies))
      }
      metadata[.merged] = factors.kind.rawValue
      metadata[.mergedScale] = "\(scale)"
      metadata[.mergedFactors] = try blueprint.factorDigest()
    }
    if model.decoder.hasFactors {
      for update in try blueprint.decoderUpdates(measurements) {
        blueprint.put(try update.entry("merged", verifies: verifies))
      }
      metadata[.merged] = metadata.merged ?? "decoder lora"
    }
    blueprint.entries.removeAll { FactorNames.contains($0.info.name) }
    // What else was trained is copied; what was calculated has been looked at.
    if verifies {
      blueprint.finite = Set(
        blueprint.entries.map(\.info.name).filter { ExtractDelta.isTrainable($0, model) })
    }
    metadata[.factorScale] = nil
    metadata[.factorBlocks] = nil
    blueprint.metadata = metadata.entries
  }

  /// The scale to use: what was asked for, else what the file says, else 1 with a note.
  static func scale(
    _ asked: Double?, _ factors: Architecture.Factors, _ blueprint: inout Blueprint
  ) throws -> Double {
    if factors.kind == .lora, let asked, asked != 1 {
      throw SurgeryError(
        .badOption, subject: "scale", expected: "1, as LoRA has no scale", found: "\(asked)")
    }
    if let scale = asked ?? factors.scale { return scale }
    blueprint.notes.append(
      "the factors' scale is said nowhere: 1 is used, MA-SAM's default; --scale sets another")
    return 1
  }
}

extension SurgeryError {
  static func merged(_ model: Architecture) -> SurgeryError {
    SurgeryError(
      .alreadyMerged, expected: "a model whose factors stand beside its weights",
      found: "'\(ModelMetadata.Key.merged.rawValue)' is '\(model.merged ?? "")'",
      remedy: "use the file as it is, or take the factors out again with 'wt unmerge-fact'")
  }
}

extension Blueprint {
  /// The content hash of the encoder's factors, which tells them from others of the same shapes.
  func factorDigest() throws -> String {
    let factors = entries.filter {
      FactorNames.contains($0.info.name) && $0.info.name.text.hasPrefix(ModelNames.encoderPrefix)
    }
    return try CheckpointHash(
      PlannedCheckpoint(Blueprint(entries: factors), path: sources.first?.path ?? "")
    ).content
  }

  /// The qkv weights with their updates.
  ///
  /// - Parameter holder: the plan that has the factors, this one or a delta.
  func encoderUpdates(
    _ factors: Architecture.Factors, _ encoder: Architecture.Encoder, from holder: Blueprint,
    scale: Double, sign: Double, _ measurements: MergeMeasurements
  ) throws -> [UpdatedWeight] {
    try factors.blocks.map { block in
      UpdatedWeight(
        weight: try required(ModelNames.projection(block)),
        parts: try Projection.allCases.map { projection in
          UpdatedWeight.Part(
            label: projection.rawValue, rows: projection.rows(encoder.attentionWidth),
            source: try holder.factorSource(factors, block, projection, scale: scale))
        },
        sign: sign, measurements: measurements)
    }
  }

  /// The decoder's projections that LoRA pairs stand beside, with their updates.
  func decoderUpdates(_ measurements: MergeMeasurements) throws -> [UpdatedWeight] {
    let suffix = "_lora_a.weight"
    let layers = entries.map(\.info.name.text).filter {
      $0.hasPrefix(ModelNames.transformerPrefix) && $0.hasSuffix(suffix)
    }
    return try layers.map { name in
      let layer = name.dropLast(suffix.utf8.count)
      let weight = try required(TensorName("\(layer)_proj.weight"))
      let source = FactorSource(
        form: .lora(
          b: try required(TensorName("\(layer)_lora_b.weight")), a: try required(TensorName(name))),
        scale: 1)
      return UpdatedWeight(
        weight: weight,
        parts: [.init(label: "all", rows: 0..<weight.info.shape[0], source: source)], sign: 1,
        measurements: measurements)
    }
  }
}
