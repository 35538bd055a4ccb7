import Numerics
import Surgery

/// The low-rank updates of one block's queries and values, kept beside its weights.
struct BlockFactors: Sendable {
  /// Of queries and of values; the projection to the rank may be the same for both.
  enum Down: Sendable {
    case shared(Linear)
    case own(queries: Linear, values: Linear)
  }

  let down: Down
  let queries: LowRankFactors
  let values: LowRankFactors

  /// Adds the updates to q and v of `projected`, [..., 3·width], in place.
  func callAsFunction(_ x: Variable, addedTo projected: Variable) -> Variable {
    let width = projected.shape[projected.shape.count - 1] / 3
    let (low, lowOfValues): (Variable, Variable)
    switch down {
    case .shared(let down):
      low = down(x)
      lowOfValues = low
    case .own(let queries, let values): (low, lowOfValues) = (queries(x), values(x))
    }
    let changed = queries(low, addedTo: projected, columns: 0..<width)
    return values(lowOfValues, addedTo: changed, columns: 2 * width..<3 * width)
  }
}

/// From the rank upwards: through a core if there is one, and to the width.
struct LowRankFactors: Sendable {
  /// A matrix [rank, rank] between down and up.
  enum Core: Sendable {
    case plain(Linear)
    case tucker(TuckerCores, slice: Int)

    func callAsFunction(_ low: Variable) -> Variable {
      switch self {
      case .plain(let linear): linear(low)
      case .tucker(let cores, let slice):
        low.linear(MatrixWeight(cores.weight(slice: slice, on: low.tape)))
      }
    }
  }

  /// Names what is dropped in training.
  var place: String
  var core: Core?
  /// Of shape [out, rank], the scale in it.
  var up: Linear

  /// - Parameter low: [..., rank]
  func callAsFunction(_ low: Variable, addedTo base: Variable, columns: Range<Int>) -> Variable {
    let mixed = core?(low) ?? low
    return up(mixed.dropped(place), addedTo: base, columns: columns)
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
  private let tucker: TuckerCores?

  /// The factors of a model, nil when it has none.
  init?(_ encoder: Parameters, _ architecture: Architecture) throws {
    guard let factors = architecture.factors, let shape = architecture.encoder else { return nil }
    (kind, rank, blocks) = (factors.kind, factors.rank, factors.blocks)
    (width, inner) = (shape.width, shape.attentionWidth)
    guard kind != .lora else {
      (down, up, tucker) = (nil, nil, nil)
      return
    }
    down = try Linear(encoder["FacTu"], width, rank, hasBias: false)
    up = try Linear(
      encoder["FacTv"], rank, inner, hasBias: false, scale: Float(factors.scale ?? 1))
    tucker = kind == .tk ? try TuckerCores(encoder, rank: rank, slices: 2 * shape.depth) : nil
  }

  /// The factors of one block, nil when it has none.
  func block(_ index: Int, _ attention: Parameters) throws -> BlockFactors? {
    guard blocks.contains(index) else { return nil }
    let queries = try factors(2 * index, "q", attention)
    let values = try factors(2 * index + 1, "v", attention)
    guard let down else {
      return BlockFactors(
        down: .own(
          queries: try Linear(attention["q_lora_a"], width, rank, hasBias: false),
          values: try Linear(attention["v_lora_a"], width, rank, hasBias: false)),
        queries: queries, values: values)
    }
    return BlockFactors(down: .shared(down), queries: queries, values: values)
  }

  private func factors(
    _ slice: Int, _ letter: String, _ attention: Parameters
  ) throws -> LowRankFactors {
    let place = "\(attention.path).\(letter)"
    guard let up else {
      let up = try Linear(attention["\(letter)_lora_b"], rank, inner, hasBias: false)
      return LowRankFactors(place: place, core: nil, up: up)
    }
    guard let tucker else {
      let core = try Linear(attention["\(letter)_FacTs"], rank, rank, hasBias: false)
      return LowRankFactors(place: place, core: .plain(core), up: up)
    }
    return LowRankFactors(place: place, core: .tucker(tucker, slice: slice), up: up)
  }
}

/// The cores of Tucker's form: Sᵀ of slice j is Σ_k C[:, :, k]·P[k, j].
struct TuckerCores: Sendable {
  /// Of shape [rank, rank, rank].
  private let core: Variable
  /// Of shape [rank, slices].
  private let layers: Variable

  init(_ encoder: Parameters, rank: Int, slices: Int) throws {
    core = try encoder.variable("FacTc", [rank, rank, rank])
    layers = try encoder.variable("FacTp", [rank, slices])
  }

  /// The core [rank, rank] of one slice, as a weight.
  func weight(slice: Int, on tape: Tape?) -> Variable {
    let rank = core.shape[0]
    let column = layers.on(tape).permuted([1, 0]).narrowed(0, slice..<slice + 1)
    let flat = core.on(tape).reshaped(rank * rank, rank)
    return column.linear(MatrixWeight(flat)).reshaped(rank, rank).permuted([1, 0])
  }
}
