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

  /// - Parameter input: [images, grid, grid, width]
  func callAsFunction(_ input: Tensor, slices: Int) -> Tensor {
    let x = input.copied()
    adapterBefore?.add(to: x, slices: slices)
    attention.add(norm1(x), to: x)
    adapterAfter?.add(to: x, slices: slices)
    contract.add(expand(norm2(x), activation: .gelu), to: x)
    return x
  }
}

/// Self-attention in windows or over the whole grid, with decomposed relative positions.
struct EncoderAttention: Sendable {
  private let projection: Linear
  private let output: Linear
  private let attention: GridAttention
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
    let positions = try ["rel_pos_h", "rel_pos_w"].map {
      try parameters.tensor($0, [2 * (window ?? encoder.grid) - 1, headWidth])
    }
    attention = GridAttention(
      heads: encoder.heads, headWidth: headWidth, grid: encoder.grid, window: window,
      positions: RelativePositions(vertical: positions[0], horizontal: positions[1]))
  }

  /// Adds the attention of `x` to `result`; both [images, grid, grid, width].
  func add(_ x: Tensor, to result: Tensor) {
    let projected = projection(x)
    factors?.add(x, to: projected)
    let mixed = Tensor(uninitialised: x.shape.dropLast() + [projected.shape[3] / 3])
    if attention.window != nil, let bias = projection.bias {
      Kernels.windowAttention(
        attention, projected.matrix, bias: bias.matrix, into: mixed.matrix)
    } else {
      Kernels.globalAttention(attention, projected.matrix, into: mixed.matrix)
    }
    withExtendedLifetime((self, projected, mixed)) {}
    output.add(mixed, to: result)
  }
}
