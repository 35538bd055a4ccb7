import Formats

/// Makes sure that a model is a plain SAM, and notes which one it is.
///
/// The content hash is over all tensors under canonical names, so it is the same for every container
/// and dialect of the base.
public struct RecordBase: Operation {
  public init() {}

  public func apply(to blueprint: inout Blueprint) throws {
    let (model, _) = try blueprint.encoderArchitecture()
    try Self.checkPlain(model)
    Self.record(&blueprint, expected: nil)
  }

  /// Has the base hashed while the plan is executed.
  ///
  /// - Parameter expected: what the hash has to be; executing fails with `wrongBase` otherwise.
  static func record(_ blueprint: inout Blueprint, expected: String?) {
    let digest = BaseDigest(blueprint, expected: expected)
    blueprint = digest.marked(blueprint)
    blueprint.pendingBase = digest
    var metadata = ModelMetadata(blueprint.metadata)
    metadata[.base] = BaseDigest.placeholder
    blueprint.metadata = metadata.entries
  }

  /// - Throws: `SurgeryError` with code `alreadyMerged` or `alreadyAdapted`.
  static func checkPlain(_ model: Architecture) throws {
    guard model.merged == nil else {
      throw SurgeryError(
        .alreadyMerged, expected: "a base as it was before adapting",
        found: "a model with '\(ModelMetadata.Key.merged.rawValue)' "
          + "'\(model.merged?.shortened() ?? "")'")
    }
    var found: [String] = []
    if let factors = model.factors {
      found.append("\(factors.kind.rawValue) factors of rank \(factors.rank)")
    }
    if let adapters = model.adapters { found.append("adapters of \(adapters.channels) channels") }
    if model.decoder.hasFactors { found.append("LoRA in the decoder") }
    if model.decoder.kind != .sam { found.append("a \(model.decoder.kind.rawValue) decoder") }
    if found.isEmpty, let base = model.base, base != BaseDigest.placeholder {
      found.append("a model made from base \(base.shortened())")
    }
    guard found.isEmpty else {
      throw SurgeryError(
        .alreadyAdapted, expected: "a base as it was before adapting",
        found: found.joined(separator: ", "))
    }
  }
}
