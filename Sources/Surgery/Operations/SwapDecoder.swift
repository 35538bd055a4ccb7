import Formats

/// Gives a model a decoder of another kind, for a number of classes.
///
/// Kept are the transformer, the IoU token, and the first two upscalings with the norm between them;
/// mask tokens, hyper-networks and the IoU head start anew, as they do in the published code when
/// it loads SAM. What a kind adds is described in its manifest, `decoder-*.yaml`.
public struct SwapDecoder: Operation {
  public var kind: Architecture.DecoderKind
  /// Foreground classes; token 0 is background.
  public var classes: Int
  public var classNames: [String]?
  public var seed: UInt64

  public init(
    kind: Architecture.DecoderKind, classes: Int, classNames: [String]? = nil, seed: UInt64
  ) {
    self.kind = kind
    self.classes = classes
    self.classNames = classNames
    self.seed = seed
  }

  public func apply(to blueprint: inout Blueprint) throws {
    let (model, encoder) = try blueprint.encoderArchitecture()
    guard classes >= 1, classes < 1 << 16 else {
      throw SurgeryError(
        .badOption, subject: "classes", expected: "at least 1", found: "\(classes)")
    }
    let (y, z) = try upscaledWidths(blueprint)
    let hidden = try blueprint.required(TensorName(ModelNames.iouHead + ".0.weight")).info.shape[0]
    guard kind == .sam || z.isMultiple(of: 4) else {
      throw SurgeryError(
        .badOption, subject: ModelNames.upscaling(3, "bias").text,
        expected: "a width that can be halved twice more", found: "\(z)")
    }
    Self.removeHeads(&blueprint)
    let width = model.decoder.width
    blueprint.entries += try heads(width, outputs: kind == .sam ? z : z / 4, hidden)
    if kind != .sam { blueprint.entries += try progressive(z) }
    if kind == .multiscale {
      blueprint.entries += try skips([width, y, z, z / 2], from: encoder.width)
    }
    var metadata = ModelMetadata(blueprint.metadata)
    metadata[.classNames] = try checkedNames().map(ClassNames.encode)
    blueprint.metadata = metadata.entries
  }

  private func checkedNames() throws -> [String]? {
    guard let classNames else { return nil }
    guard classNames.count == classes else {
      throw SurgeryError(
        .badOption, subject: "class names", expected: "\(classes), one for each class",
        found: "\(classNames.count)")
    }
    try ClassNames.check(classNames)
    return classNames
  }

  private func upscaledWidths(_ blueprint: Blueprint) throws -> (Int, Int) {
    (
      try blueprint.required(ModelNames.upscaling(0, "bias")).info.shape[0],
      try blueprint.required(ModelNames.upscaling(3, "bias")).info.shape[0]
    )
  }

  /// Removes what a swap replaces and what only other kinds have.
  private static func removeHeads(_ blueprint: inout Blueprint) {
    for prefix in ["output_hypernetworks_mlps.", "iou_prediction_head.", "mask_tokens.", "skips."] {
      blueprint.remove(prefix: ModelNames.decoderPrefix + prefix)
    }
    for index in [4, 6, 7, 9] {
      blueprint.remove(prefix: "\(ModelNames.decoderPrefix)output_upscaling.\(index).")
    }
  }

  private var initialiser: Initialiser { Initialiser(seed: seed) }

  private func heads(_ width: Int, outputs: Int, _ hidden: Int) throws -> [Blueprint.Entry] {
    let tokens = classes + 1
    var entries = [
      try initialiser.tensor(
        ModelNames.maskTokens, [tokens, width], .normal(seed: seed, ModelNames.maskTokens))
    ]
    for token in 0..<tokens {
      entries += try initialiser.perceptron(
        ModelNames.hyperNetwork(token), [width, width, width, outputs])
    }
    return try entries
      + initialiser.perceptron(ModelNames.iouHead, [width, hidden, hidden, tokens])
  }

  private func progressive(_ width: Int) throws -> [Blueprint.Entry] {
    let layer = { (index: Int) in "\(ModelNames.decoderPrefix)output_upscaling.\(index)" }
    return try initialiser.norm(layer(4), width: width)
      + initialiser.upscaling(layer(6), inputs: width, outputs: width / 2)
      + initialiser.norm(layer(7), width: width / 2)
      + initialiser.upscaling(layer(9), inputs: width / 2, outputs: width / 4)
  }

  private func skips(_ widths: [Int], from encoder: Int) throws -> [Blueprint.Entry] {
    try widths.enumerated().flatMap { index, width in
      let layer = { (part: String) in "\(ModelNames.decoderPrefix)skips.\(index).\(part)" }
      return try initialiser.convolution(
        layer("proj"), outputs: width, inputs: encoder, kernel: [1, 1], hasBias: false)
        + initialiser.norm(layer("norm"), width: width)
        + initialiser.convolution(layer("fuse"), outputs: width, inputs: 2 * width, kernel: [3, 3])
        + initialiser.norm(layer("fuse_norm"), width: width)
    }
  }
}

extension Initialiser {
  /// Linear layers one after another, named by their place.
  func perceptron(_ name: String, _ widths: [Int]) throws -> [Blueprint.Entry] {
    try zip(widths, widths.dropFirst()).enumerated().flatMap { index, widths in
      try linear("\(name).\(index)", outputs: widths.1, inputs: widths.0)
    }
  }
}
