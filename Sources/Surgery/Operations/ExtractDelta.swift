import Formats

/// Keeps what training changes: factors, adapters, prompt encoder and decoder.
public struct ExtractDelta: Operation {
  public init() {}

  public func apply(to blueprint: inout Blueprint) throws {
    let (model, encoder) = try blueprint.encoderArchitecture()
    guard model.merged == nil else { throw SurgeryError.merged(model) }
    blueprint.entries.removeAll { !Self.isTrainable($0.info.name, model) }
    var metadata = ModelMetadata(blueprint.metadata)
    metadata[.imageSize] = "\(encoder.imageSize)"
    metadata[.globalBlocks] = nil
    blueprint.metadata = metadata.entries
  }

  /// Whether training changes a tensor; SAMed_s freezes the transformer whose projections it adapts.
  static func isTrainable(_ name: TensorName, _ model: Architecture) -> Bool {
    let text = name.text
    if FactorNames.contains(name) || text.contains(".adapter_") { return true }
    if model.decoder.hasFactors, text.hasPrefix(ModelNames.transformerPrefix) { return false }
    return text.hasPrefix(ModelNames.promptPrefix) || text.hasPrefix(ModelNames.decoderPrefix)
  }
}
