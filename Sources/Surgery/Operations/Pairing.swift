import Formats

/// Whether a delta belongs to a base.
enum Pairing {
  /// - Throws: `SurgeryError` with code `wrongPairing`, naming tensors and numbers.
  static func check(
    _ delta: Architecture, fits base: Architecture, _ encoder: Architecture.Encoder
  ) throws {
    let widthTensor = delta.factors?.kind == .lora ? FactorNames.lora(0, .q, "a") : FactorNames.u
    try compare(
      "width", delta.width, delta.factors == nil ? "its adapters" : "'\(widthTensor)'",
      encoder.width, "'\(ModelNames.block(0)).norm1.weight'")
    try compare(
      "attention width", delta.attentionWidth, "its factors", encoder.attentionWidth,
      "'\(ModelNames.projection(0))'")
    // A delta that leaves blocks out on purpose shows no depth, but its blocks must exist.
    let isPartial = delta.factors?.isPartial ?? false
    if delta.adapters != nil || !isPartial {
      try compare(
        "depth", delta.depth, "its blocks", encoder.depth,
        "'\(ModelNames.block(encoder.depth - 1))'")
    } else if let last = delta.factors?.blocks.last, last >= encoder.depth {
      throw mismatch(
        "depth", last + 1, "its factors", encoder.depth, "'\(ModelNames.block(encoder.depth - 1))'")
    }
    try compare(
      "decoder width", delta.decoder.width, "'\(ModelNames.maskTokens)'", base.decoder.width,
      "'\(ModelNames.maskTokens)'")
  }

  /// Checks that the encoder's own weights in a delta are those of the base in shape.
  ///
  /// - Parameter base: resized to the delta's image size.
  /// - Throws: `SurgeryError` with code `wrongPairing`, naming the first that is not.
  static func check(_ delta: Blueprint, replacesPartsOf base: Blueprint) throws {
    let shapes = ShapeTable(base.entries.map(\.info))
    for entry in delta.entries {
      let (name, shape) = (entry.info.name, entry.info.shape)
      guard ModelNames.isEncoderWeight(name), shapes[name] != shape else { continue }
      throw SurgeryError(
        .wrongPairing, subject: name.text,
        expected: shapes[name].map { "\($0), as the base has" } ?? "a tensor of the base",
        found: "\(shape)")
    }
  }

  private static func compare(
    _ what: String, _ found: Int?, _ source: String, _ expected: Int, _ target: String
  ) throws {
    guard let found, found != expected else { return }
    throw mismatch(what, found, source, expected, target)
  }

  private static func mismatch(
    _ what: String, _ found: Int, _ source: String, _ expected: Int, _ target: String
  ) -> SurgeryError {
    SurgeryError(
      .wrongPairing, subject: what, expected: "\(expected), as \(target) of the base has",
      found: "\(found), as \(source) of the adapter has")
  }
}
