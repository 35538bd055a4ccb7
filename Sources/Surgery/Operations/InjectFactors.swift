import Formats

/// Adds trainable low-rank factors to q and v, so initialised that they change nothing yet.
///
/// Source: Jie and Deng, "FacT" (AAAI 2023), §3; MA-SAM/sam_fact_tt_image_encoder.py;
/// SAMed/sam_lora_image_encoder.py for `lora`.
public struct InjectFactors: Operation {
  public var kind: Architecture.FactorKind
  public var rank: Int
  /// Of the update; LoRA has none.
  public var scale: Double
  /// The blocks to adapt; nil for all.
  public var blocks: [Int]?
  public var seed: UInt64

  public init(
    kind: Architecture.FactorKind, rank: Int, scale: Double = 1, blocks: [Int]? = nil,
    seed: UInt64
  ) {
    self.kind = kind
    self.rank = rank
    self.scale = scale
    self.blocks = blocks
    self.seed = seed
  }

  public func apply(to blueprint: inout Blueprint) throws {
    let (model, encoder) = try blueprint.encoderArchitecture()
    let blocks = try checkedBlocks(model, encoder)
    if rank > encoder.width / 2 {
      blueprint.notes.append(
        "rank \(rank) is more than half of the width, \(encoder.width): whole matrices would be "
          + "smaller")
    }
    switch kind {
    case .tt: blueprint.entries += try tensorTrain(encoder, blocks)
    case .tk: blueprint.entries += try tucker(encoder)
    case .lora: blueprint.entries += try pairs(encoder, blocks)
    }
    var metadata = ModelMetadata(blueprint.metadata)
    if kind != .lora { metadata[.factorScale] = "\(scale)" }
    if blocks.count < encoder.depth {
      metadata[.factorBlocks] = blocks.map(String.init).joined(separator: ",")
    }
    blueprint.metadata = metadata.entries
  }

  private func checkedBlocks(
    _ model: Architecture, _ encoder: Architecture.Encoder
  ) throws -> [Int] {
    if let factors = model.factors {
      throw SurgeryError(
        .alreadyAdapted, expected: "a model without factors",
        found: "\(factors.kind.rawValue) factors of rank \(factors.rank)")
    }
    guard rank >= 1, rank <= 1 << 16 else {
      throw SurgeryError(.badOption, subject: "rank", expected: "at least 1", found: "\(rank)")
    }
    guard scale.isFinite, kind != .lora || scale == 1 else {
      throw SurgeryError(
        .badOption, subject: "scale",
        expected: kind == .lora ? "1, as LoRA has no scale" : "finite",
        found: "\(scale)")
    }
    let chosen = Array(Set(blocks ?? Array(0..<encoder.depth))).sorted()
    guard !chosen.isEmpty, chosen.allSatisfy((0..<encoder.depth).contains) else {
      throw SurgeryError(
        .badOption, subject: "blocks", expected: "some of 0 to \(encoder.depth - 1)",
        found: "\(blocks ?? [])")
    }
    return chosen
  }

  private var initialiser: Initialiser { Initialiser(seed: seed) }

  private func shared(_ encoder: Architecture.Encoder) throws -> [Blueprint.Entry] {
    [
      try initialiser.uniform(FactorNames.u, [rank, encoder.width], fanIn: encoder.width),
      try initialiser.zeros(FactorNames.v, [encoder.attentionWidth, rank]),
    ]
  }

  private func tensorTrain(
    _ encoder: Architecture.Encoder, _ blocks: [Int]
  ) throws -> [Blueprint.Entry] {
    try shared(encoder)
      + blocks.flatMap { block in
        try Projection.allCases.map { projection in
          try initialiser.uniform(
            FactorNames.sigma(block, projection), [rank, rank], fanIn: rank)
        }
      }
  }

  private func tucker(_ encoder: Architecture.Encoder) throws -> [Blueprint.Entry] {
    let slices = 2 * encoder.depth
    let core = Initialisation.xavier(
      fanIn: rank * rank, fanOut: rank * rank, seed: seed, FactorNames.core)
    let layers = Initialisation.xavier(
      fanIn: slices, fanOut: rank, seed: seed, FactorNames.slices)
    return try shared(encoder) + [
      try initialiser.tensor(FactorNames.core, [rank, rank, rank], core),
      try initialiser.tensor(FactorNames.slices, [rank, slices], layers),
    ]
  }

  private func pairs(
    _ encoder: Architecture.Encoder, _ blocks: [Int]
  ) throws -> [Blueprint.Entry] {
    try blocks.flatMap { block in
      try Projection.allCases.flatMap { projection in
        [
          try initialiser.uniform(
            FactorNames.lora(block, projection, "a"), [rank, encoder.width], fanIn: encoder.width),
          try initialiser.zeros(
            FactorNames.lora(block, projection, "b"), [encoder.attentionWidth, rank]),
        ]
      }
    }
  }
}
