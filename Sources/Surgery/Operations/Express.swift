import Formats

/// Brings a model into the form that another program loads.
public struct Express: Operation {
  public enum Form: String, Sendable, CaseIterable {
    /// MA-SAM's adapter file.
    case masam
    /// SAMed's LoRA file; FacT is written as LoRA.
    case samed
    /// SAM as Meta publishes it.
    case sam
    /// Hugging Face's `SamModel`.
    case hf
    /// MedSAM as it is published, which has SAM's names; its training file keeps them under `model`.
    case medsam
  }

  public var form: Form
  /// For `samed`: the factors' scale instead of the metadata's, and whether their rank is kept.
  public var scale: Double?
  public var keepsRank: Bool

  public init(_ form: Form, scale: Double? = nil, keepsRank: Bool = false) {
    self.form = form
    self.scale = scale
    self.keepsRank = keepsRank
  }

  public func apply(to blueprint: inout Blueprint) throws {
    let model = try Architecture(blueprint)
    switch form {
    case .sam, .medsam: try checkPlain(model)
    case .hf:
      try checkPlain(model)
      // Constants that Hugging Face's model has no place for.
      blueprint.entries.removeAll { ["pixel_mean", "pixel_std"].contains($0.info.name.text) }
      try Rename(family: "sam", dialect: "hf").apply(to: &blueprint)
    case .masam:
      try checkFactors(model, blueprint, [.tt], decoder: .progressive)
      guard let adapters = model.adapters, adapters.before, adapters.after else {
        throw refusal(
          "3D adapters before and after attention",
          model.adapters.map { "adapters \($0.placement) attention only" } ?? "none")
      }
      if !model.isDelta { try ExtractDelta().apply(to: &blueprint) }
      setFamily("masam-delta", &blueprint)
      noteScale(model, &blueprint)
      try Rename(family: "masam-delta", dialect: "masam").apply(to: &blueprint)
    case .samed:
      try checkFactors(model, blueprint, Architecture.FactorKind.allCases, decoder: .sam)
      guard model.adapters == nil else { throw refusal("no 3D adapters", "a model with them") }
      if !model.isDelta { try ExtractDelta().apply(to: &blueprint) }
      setFamily("samed-delta", &blueprint)
      try FactorsToLoRA(scale: scale, keepsRank: keepsRank).apply(to: &blueprint)
      try Rename(family: "samed-delta", dialect: "samed").apply(to: &blueprint)
    }
  }

  private func refusal(_ expected: String, _ found: String) -> SurgeryError {
    SurgeryError(.notExpressible, subject: form.rawValue, expected: expected, found: found)
  }

  private func checkPlain(_ model: Architecture) throws {
    guard !model.isDelta else { throw SurgeryError.needsBase(model) }
    if let factors = model.factors {
      var error = refusal("merged weights", "\(factors.kind.rawValue) factors beside them")
      error.remedy = "merge them first with 'wt merge-fact'"
      throw error
    }
    guard model.adapters == nil, model.decoder.kind == .sam, !model.decoder.hasFactors else {
      let parts = [
        model.adapters.map { "3D adapters \($0.placement) attention" },
        model.decoder.hasFactors ? "LoRA in the decoder" : nil,
        model.decoder.kind == .sam ? nil : "a \(model.decoder.kind.rawValue) decoder",
      ]
      throw refusal("SAM's own layers", parts.compactMap { $0 }.joined(separator: " and "))
    }
  }

  private func checkFactors(
    _ model: Architecture, _ blueprint: Blueprint, _ kinds: [Architecture.FactorKind],
    decoder: Architecture.DecoderKind
  ) throws {
    guard model.merged == nil else { throw SurgeryError.merged(model) }
    guard let factors = model.factors, kinds.contains(factors.kind) else {
      throw refusal(
        "factors of kind \(kinds.map(\.rawValue).joined(separator: ", "))",
        model.factors?.kind.rawValue ?? "none")
    }
    let names = blueprint.entries.map(\.info.name)
    if model.isDelta, let other = names.first(where: ModelNames.isEncoderWeight) {
      throw refusal(
        "factors, adapters and decoder alone, as the published code reads nothing else",
        "the trained '\(other)'")
    }
    // Of a delta with factors in some blocks nobody knows the depth.
    guard factors.blocks.count == model.depth, !(model.isDelta && factors.isPartial) else {
      throw refusal(
        "factors in all \(model.isDelta ? "" : "\(model.depth ?? 0) ")blocks, as the published code "
          + "knows no others",
        "factors in blocks \(factors.blocks)")
    }
    guard model.decoder.kind == decoder else {
      throw refusal("a \(decoder.rawValue) decoder", "a \(model.decoder.kind.rawValue) one")
    }
  }

  private func setFamily(_ family: String, _ blueprint: inout Blueprint) {
    var metadata = ModelMetadata(blueprint.metadata)
    metadata[.family] = family
    blueprint.metadata = metadata.entries
  }

  private func noteScale(_ model: Architecture, _ blueprint: inout Blueprint) {
    guard let scale = model.factors?.scale, scale != 1 else { return }
    blueprint.notes.append(
      "the file holds no scale: load it with scale \(scale), which MA-SAM takes from its options")
  }
}
