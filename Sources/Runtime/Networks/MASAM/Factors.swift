import Numerics
import Surgery

/// The low-rank updates of one block's queries and values, kept beside its weights.
struct BlockFactors: Sendable {
  private let queries: LowRankFactors
  private let values: LowRankFactors

  init(queries: LowRankFactors, values: LowRankFactors) {
    self.queries = queries
    self.values = values
  }

  /// Adds the updates to q and v of `projected`, [..., 3·width].
  func add(_ x: Tensor, to projected: Tensor) {
    let width = projected.shape[3] / 3
    queries.add(x, to: projected.narrowed(3, 0..<width))
    values.add(x, to: projected.narrowed(3, 2 * width..<3 * width))
  }
}

/// y += x·Aᵀ·Sᵀ·Bᵀ: down to the rank, through a core if there is one, and up again.
struct LowRankFactors: Sendable {
  /// Of shape [rank, in].
  var down: Linear
  /// Of shape [rank, rank].
  var core: Linear?
  /// Of shape [out, rank], the scale in it.
  var up: Linear

  func add(_ x: Tensor, to result: Tensor) {
    let low = down(x)
    up.add(core?(low) ?? low, to: result)
  }
}

/// What the blocks' factors have in common.
///
/// Source: MA-SAM's sam_fact_tt_image_encoder.py; PETL-ViT's FacT/fact_tk.py; SAMed's
/// sam_lora_image_encoder.py.
struct SharedFactors {
  private let kind: Architecture.FactorKind
  private let rank: Int
  private let blocks: [Int]
  private let width: Int
  private let inner: Int
  private let down: Linear?
  private let up: Linear?
  /// One core [rank, rank] for q and one for v of each block.
  private let cores: [Tensor]?

  /// The factors of a model, nil when it has none.
  init?(_ encoder: Parameters, _ architecture: Architecture) throws {
    guard let factors = architecture.factors, let shape = architecture.encoder else { return nil }
    (kind, rank, blocks) = (factors.kind, factors.rank, factors.blocks)
    (width, inner) = (shape.width, shape.attentionWidth)
    guard kind != .lora else {
      (down, up, cores) = (nil, nil, nil)
      return
    }
    down = try Linear(encoder["FacTu"], width, rank, hasBias: false)
    let last = try encoder.tensor("FacTv.weight", [inner, rank])
    up = Linear(weight: last.scaled(by: Float(factors.scale ?? 1)), bias: nil)
    cores = kind == .tk ? try Self.tucker(encoder, rank: rank, slices: 2 * shape.depth) : nil
  }

  /// The cores of Tucker's form: Sᵀ of slice j is Σ_k C[:, :, k]·P[k, j].
  private static func tucker(_ encoder: Parameters, rank: Int, slices: Int) throws -> [Tensor] {
    let core = try encoder.tensor("FacTc", [rank, rank, rank]).reshaped(rank * rank, rank)
    let layers = try encoder.tensor("FacTp", [rank, slices]).permuted([1, 0])
    let all = Linear(weight: core, bias: nil)(layers)
    return (0..<slices).map { all[$0].reshaped(rank, rank).permuted([1, 0]) }
  }

  /// The factors of one block, nil when it has none.
  func block(_ index: Int, _ attention: Parameters) throws -> BlockFactors? {
    guard blocks.contains(index) else { return nil }
    return BlockFactors(
      queries: try factors(2 * index, "q", attention),
      values: try factors(2 * index + 1, "v", attention))
  }

  private func factors(
    _ slice: Int, _ letter: String, _ attention: Parameters
  ) throws -> LowRankFactors {
    guard let down, let up else {
      return LowRankFactors(
        down: try Linear(attention["\(letter)_lora_a"], width, rank, hasBias: false), core: nil,
        up: try Linear(attention["\(letter)_lora_b"], rank, inner, hasBias: false))
    }
    let core =
      try cores.map { Linear(weight: $0[slice], bias: nil) }
      ?? Linear(attention["\(letter)_FacTs"], rank, rank, hasBias: false)
    return LowRankFactors(down: down, core: core, up: up)
  }
}
