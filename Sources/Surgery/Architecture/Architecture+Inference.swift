import Formats

extension Architecture {
  /// Resolves a planned model whose tensors may have been renamed for another program.
  ///
  /// - Throws: `SurgeryError` with code `schemaMismatch`, `unknownFamily` or `badMetadata`.
  public init(anyDialectOf blueprint: Blueprint) throws {
    let tensors = blueprint.entries.map(\.info)
    let recogniser = try Recogniser()
    let recognition = try recogniser.recognise(
      tensors, as: recogniser.stated(blueprint.metadata))
    guard recognition.manifest != nil, recognition.report.isComplete else {
      throw SurgeryError.unrecognised(recognition)
    }
    try self.init(recognition, of: tensors, blueprint.metadata)
  }

  /// Resolves a planned model.
  ///
  /// - Throws: `SurgeryError` with code `schemaMismatch`, `unknownFamily` or `badMetadata`.
  public init(_ blueprint: Blueprint) throws {
    self = try naming(blueprint) { try Architecture(canonical: blueprint) }
  }

  private init(canonical blueprint: Blueprint) throws {
    let tensors = blueprint.entries.map(\.info)
    let recogniser = try Recogniser()
    let recognition = try recogniser.recognise(
      tensors, as: recogniser.stated(blueprint.metadata), isCanonical: true)
    guard let manifest = recognition.manifest else {
      throw SurgeryError.unrecognised(recognition)
    }
    guard recognition.report.isComplete else {
      throw SurgeryError(
        .schemaMismatch, expected: "the tensors of family '\(manifest.family)'",
        found: recognition.report.summary)
    }
    try self.init(recognition, tensors, ModelMetadata(blueprint.metadata))
  }

  /// Resolves a checkpoint that was recognised, from its tensors under canonical names.
  ///
  /// - Throws: `SurgeryError` with code `schemaMismatch` or `badMetadata`.
  public init(
    _ recognition: Recognition, _ tensors: [TensorInfo], _ metadata: ModelMetadata
  ) throws {
    let shapes = ShapeTable(tensors)
    let symbols = recognition.symbols
    family = recognition.manifest?.family ?? ""
    encoder = try Self.encoder(symbols, shapes, metadata)
    decoder = Decoder(
      kind: recognition.form(of: "decoder").flatMap(DecoderKind.init) ?? .sam,
      width: symbols["c"] ?? 0, maskTokens: symbols["T"] ?? 0,
      hasFactors: recognition.form(of: "decoder_lora") == "yes"
        || recognition.form(of: "transformer") == "lora")
    width = symbols["d"]
    depth = symbols["L"]
    attentionWidth = symbols["a"]
    factors = try Self.factors(recognition, shapes, metadata)
    adapters = symbols["k"].map {
      Adapters(
        channels: $0, before: recognition.form(of: "adapter_before") == "yes",
        after: recognition.form(of: "adapter_after") == "yes")
    }
    let statedSize = try metadata.imageSize
    imageSize = encoder?.imageSize ?? statedSize
    slices = try metadata.slices
    classNames = try metadata.classNames
    merged = metadata.merged
    base = metadata.base
    if let names = classNames, names.count != classes {
      throw SurgeryError(
        .badMetadata, subject: ModelMetadata.Key.classNames.rawValue,
        expected: "\(classes) names, one less than mask tokens", found: "\(names.count)")
    }
  }

  /// Resolves a checkpoint of any dialect that was recognised.
  ///
  /// - Throws: `SurgeryError` with code `badMetadata`.
  public init(
    _ recognition: Recognition, of tensors: [TensorInfo], _ metadata: CheckpointMetadata
  ) throws {
    let canonical = recognition.sources.map { name, places in
      var info = tensors[places[0]]
      info.name = name
      return info
    }
    try self.init(recognition, canonical, ModelMetadata(metadata))
  }

  private static func factors(
    _ recognition: Recognition, _ shapes: ShapeTable, _ metadata: ModelMetadata
  ) throws -> Factors? {
    let form = recognition.form(of: "fact") ?? "lora"
    guard let kind = FactorKind(rawValue: form), let rank = recognition.symbols["r"] else {
      return nil
    }
    let depth = recognition.symbols["L"] ?? 0
    let found = (0..<depth).filter { block in
      kind == .tk || shapes[FactorNames.first(kind, block: block)] != nil
    }
    let recorded = try metadata.factorBlocks
    // Tucker's cores cover every block; the metadata alone can leave some out.
    let expected = recorded ?? Array(0..<depth)
    guard kind == .tk ? expected.allSatisfy((0..<depth).contains) : expected == found else {
      let missing = expected.filter { !found.contains($0) }
      throw SurgeryError(
        .badMetadata, subject: ModelMetadata.Key.factorBlocks.rawValue,
        expected: recorded == nil ? "factors in all blocks, as it is not there" : "\(expected)",
        found: missing.isEmpty ? "factors in blocks \(found)" : "none in blocks \(missing)")
    }
    return Factors(
      kind: kind, rank: rank, scale: kind == .lora ? 1 : try metadata.factorScale,
      blocks: expected, isPartial: recorded != nil)
  }
}

/// The shapes of a model's tensors by name.
struct ShapeTable {
  private let shapes: [TensorName: [Int]]

  init(_ tensors: [TensorInfo]) {
    shapes = Dictionary(tensors.map { ($0.name, $0.shape) }) { first, _ in first }
  }

  subscript(_ name: TensorName) -> [Int]? { shapes[name] }
}

extension SurgeryError {
  /// The error for a checkpoint of no known family.
  static func unrecognised(_ recognition: Recognition) -> SurgeryError {
    guard let closest = recognition.closest else {
      return SurgeryError(
        .schemaMismatch, expected: "a model of the SAM family", found: "none of its tensors")
    }
    return SurgeryError(
      .schemaMismatch, expected: "the tensors of family '\(closest.family)', which comes closest",
      found: closest.report.summary)
  }
}
