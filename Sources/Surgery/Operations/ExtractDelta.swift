import Formats

/// Keeps what training changes: factors, adapters, prompt encoder and decoder.
public struct ExtractDelta: Operation {
  private let others: Set<TensorName>

  /// - Parameter others: what was trained besides, and is kept too.
  public init(and others: Set<TensorName> = []) { self.others = others }

  public func apply(to blueprint: inout Blueprint) throws {
    let (model, encoder) = try blueprint.encoderArchitecture()
    guard model.merged == nil else { throw SurgeryError.merged(model) }
    let kept = blueprint.entries.filter {
      Self.isTrainable($0.info.name, model) || others.contains($0.info.name)
    }
    // Where everything was trained the delta is a model.
    guard kept.count < blueprint.entries.count else { return }
    blueprint.entries = kept
    var metadata = ModelMetadata(blueprint.metadata)
    metadata[.imageSize] = "\(encoder.imageSize)"
    metadata[.globalBlocks] = nil
    // What else was trained belongs to no family by its names: the file has to say it.
    let isMixed = kept.contains { !Self.isTrainable($0.info.name, model) }
    let saysFamily = isMixed || metadata[.family] != nil
    metadata[.family] = isMixed ? Self.family : nil
    blueprint.metadata = metadata.entries
    if saysFamily {
      blueprint.metadata[ModelMetadata.Key.family.rawValue] = try Architecture(blueprint).family
    }
  }

  /// The family whose files may hold tensors of the encoder besides.
  private static let family = "masam-delta"

  /// Whether training changes a tensor; SAMed_s freezes the transformer whose projections it adapts.
  public static func isTrainable(_ name: TensorName, _ model: Architecture) -> Bool {
    let text = name.text
    if FactorNames.contains(name) || ModelNames.isAdapter(name) { return true }
    if model.decoder.hasFactors, text.hasPrefix(ModelNames.transformerPrefix) { return false }
    return text.hasPrefix(ModelNames.promptPrefix) || text.hasPrefix(ModelNames.decoderPrefix)
  }
}
