import Formats

/// Puts what training changed beside the base it was trained on, as one model.
///
/// The base is resized to the delta's image size first. What the delta brings replaces what the base
/// has; of a whole decoder in the delta nothing of the base's remains. A model that says which base it
/// was made from, as one does whose every weight was trained, is a delta too.
public struct ApplyDelta: Operation {
  public var delta: Blueprint
  /// Replace what the delta's metadata says, which published files lack.
  public var scale: Double?
  public var imageSize: Int?
  public var slices: Int?
  public var allowsDifferentBase: Bool

  public init(
    delta: Blueprint, scale: Double? = nil, imageSize: Int? = nil, slices: Int? = nil,
    allowsDifferentBase: Bool = false
  ) {
    self.delta = delta
    self.scale = scale
    self.imageSize = imageSize
    self.slices = slices
    self.allowsDifferentBase = allowsDifferentBase
  }

  /// What MA-SAM trains with unless told otherwise.
  static let defaultImageSize = 512
  static let defaultSlices = 5

  public func apply(to blueprint: inout Blueprint) throws {
    let source = try naming(delta) {
      let source = try Architecture(delta)
      guard source.isDelta || source.base != nil else {
        throw SurgeryError(
          .wrongPairing, expected: "a delta: factors, adapters and decoder alone",
          found: "a whole model of family '\(source.family)'", remedy: "it needs no base")
      }
      guard source.merged == nil else { throw SurgeryError.merged(source) }
      return source
    }
    let (base, encoder) = try blueprint.encoderArchitecture()
    try RecordBase.checkPlain(base)
    blueprint.notes += delta.notes
    try naming(delta) { try Pairing.check(source, fits: base, encoder) }
    RecordBase.record(&blueprint, expected: allowsDifferentBase ? nil : source.base)
    try Resize(imageSize: resolvedImageSize(source, &blueprint)).apply(to: &blueprint)
    try naming(delta) { try Pairing.check(delta, replacesPartsOf: blueprint) }
    replaceTensors(&blueprint, source)
    try naming(delta) { try mergeMetadata(&blueprint, source) }
    _ = try Architecture(blueprint)
  }

  private func resolvedImageSize(
    _ source: Architecture, _ blueprint: inout Blueprint
  ) throws -> Int {
    if let size = imageSize ?? source.imageSize { return size }
    blueprint.notes.append(
      "the delta's image size is said nowhere: \(Self.defaultImageSize) is used, MA-SAM's default; "
        + "--image-size sets another")
    return Self.defaultImageSize
  }

  private func replaceTensors(_ blueprint: inout Blueprint, _ source: Architecture) {
    blueprint.entries.removeAll { entry in
      let name = entry.info.name.text
      guard name.hasPrefix(ModelNames.decoderPrefix) else { return false }
      return !source.decoder.hasFactors || !name.hasPrefix(ModelNames.transformerPrefix)
    }
    blueprint.put(delta.entries)
  }

  private func mergeMetadata(
    _ blueprint: inout Blueprint, _ source: Architecture
  ) throws {
    var metadata = ModelMetadata(blueprint.metadata)
    let given = ModelMetadata(delta.metadata)
    for key in [ModelMetadata.Key.factorBlocks, .classNames, .profile] {
      metadata[key] = given[key]
    }
    if let blocks = given[.globalBlocks] { metadata[.globalBlocks] = blocks }
    if source.factors != nil, source.factors?.kind != .lora {
      let factors = try source.factors.map {
        try MergeFactors.scale(scale, $0, &blueprint)
      }
      metadata[.factorScale] = factors.map { "\($0)" }
    }
    if let count = slices ?? source.slices {
      metadata[.slices] = "\(try SetSlices.checked(count))"
    } else if source.adapters != nil {
      blueprint.notes.append(
        "the number of slices is said nowhere: \(Self.defaultSlices) is used, MA-SAM's default; "
          + "--slices sets another")
      metadata[.slices] = "\(Self.defaultSlices)"
    }
    blueprint.metadata = metadata.entries
  }
}
