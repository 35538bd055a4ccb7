import Numerics
import Surgery

/// A transformer block of the encoder: attention and MLP, each added to what came in, with
/// MA-SAM's adapters before and after attention.
struct EncoderBlock: Sendable {
  private let adapterBefore: SliceAdapter?
  private let adapterAfter: SliceAdapter?
  private let norm1: LayerNorm
  private let attention: EncoderAttention
  private let norm2: LayerNorm
  private let expand: Linear
  private let contract: Linear

  init(
    _ parameters: Parameters, _ encoder: Architecture.Encoder, window: Int?,
    factors: BlockFactors?, adapters: Architecture.Adapters?, precision: Precision
  ) throws {
    let width = encoder.width
    let adapter = { (suffix: String) in
      try SliceAdapter(
        parameters, suffix: suffix, width: width, channels: adapters?.channels ?? 0,
        precision: precision)
    }
    adapterBefore = adapters?.before == true ? try adapter("") : nil
    adapterAfter = adapters?.after == true ? try adapter("_2") : nil
    norm1 = try LayerNorm(parameters["norm1"], width, epsilon: 1e-6)
    attention = try EncoderAttention(
      parameters["attn"], encoder, window: window, factors: factors, precision: precision)
    norm2 = try LayerNorm(parameters["norm2"], width, epsilon: 1e-6)
    expand = try Linear(
      parameters["mlp"]["lin1"], width, encoder.mlpWidth, precision: precision)
    contract = try Linear(
      parameters["mlp"]["lin2"], encoder.mlpWidth, width, precision: precision)
  }

  /// - Parameters:
  ///   - input: [images, grid, grid, width]; its numbers stay.
  ///   - keeps: what is kept of a calculation that is to be differentiated.
  func callAsFunction(
    _ input: Variable, slices: Int, keeps: BlockMemory.Share
  ) -> Variable {
    let attend = { (x: Variable) in
      let adapted = adapterBefore.map { $0(x, slices: slices) } ?? x
      return (base: adapted, inner: attention(norm1(adapted)))
    }
    let transform = { (x: Variable, activation: Activation) in
      let adapted = adapterAfter.map { $0(x, slices: slices) } ?? x
      let inner = expand(norm2(adapted), activation: activation, keepsSum: keeps == .hidden)
      return (base: adapted, inner: inner)
    }
    guard keeps != .input else {
      return input.owned().residual(contract, after: .gelu, keepsMore: false) { x, activation in
        let parts = attend(x)
        return transform(attention.output(parts.inner, addedTo: parts.base), activation)
      }
    }
    return input.owned().residual(attention.output) { x, _ in attend(x) }
      .residual(contract, after: .gelu, of: transform)
  }
}

/// Self-attention in windows or over the whole grid, with decomposed relative positions.
struct EncoderAttention: Sendable {
  private let projection: Linear
  /// What the attention is multiplied by in the end.
  let output: Linear
  private let attention: GridAttention
  /// The table of positions.
  private let positions: Prepared<Variable>
  private let factors: BlockFactors?

  init(
    _ parameters: Parameters, _ encoder: Architecture.Encoder, window: Int?,
    factors: BlockFactors?, precision: Precision
  ) throws {
    let (width, inner) = (encoder.width, encoder.attentionWidth)
    let headWidth = inner / encoder.heads
    projection = try Linear(parameters["qkv"], width, 3 * inner, precision: precision)
    output = try Linear(parameters["proj"], inner, width, precision: precision)
    self.factors = factors
    let extent = 2 * (window ?? encoder.grid) - 1
    let vertical = try parameters.variable("rel_pos_h", [extent, headWidth])
    let horizontal = try parameters.variable("rel_pos_w", [extent, headWidth])
    positions = Prepared(vertical, horizontal) {
      RelativePositions.table(vertical: $0[0], horizontal: $0[1])
    }
    attention = GridAttention(
      heads: encoder.heads, headWidth: headWidth, grid: encoder.grid, window: window,
      positions: RelativePositions(table: positions.on(nil).value))
  }

  /// The attention of `x`, before the output's product; both [images, grid, grid, width].
  func callAsFunction(_ x: Variable) -> Variable {
    var projected = projection(x)
    if let factors { projected = factors(x, addedTo: projected) }
    let bias = projection.bias ?? Variable(Tensor(repeating: 0, shape: [projected.shape[3]]))
    return attention(projected, bias: bias, table: positions.on(x.tape))
  }
}
