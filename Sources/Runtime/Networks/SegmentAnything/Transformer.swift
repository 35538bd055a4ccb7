import Numerics
import Surgery

/// The decoder's transformer, in which tokens attend to the image and the image to the tokens.
///
/// Source: segment_anything/modeling/transformer.py
struct TwoWayTransformer: Sendable {
  private let layers: [TwoWayBlock]
  private let finalAttention: DecoderAttention
  private let finalNorm: LayerNorm

  init(_ parameters: Parameters, width: Int) throws {
    // Blocks are counted here, as nothing else needs to know how many there are.
    let depth = (0...).prefix { parameters["layers"][$0].shape(of: "norm1.weight") != nil }.count
    layers = try (0..<depth).map {
      try TwoWayBlock(
        parameters["layers"][$0], width: width, isFirst: $0 == 0)
    }
    finalAttention = try DecoderAttention(
      parameters["final_attn_token_to_image"], width: width)
    finalNorm = try LayerNorm(parameters["norm_final_attn"], width, epsilon: 1e-5)
  }

  /// - Parameters:
  ///   - image: [images, pixels, width]
  ///   - places: the encoding of every pixel's place, [pixels, width].
  ///   - tokens: [images, tokens, width]
  /// - Returns: tokens and image of the same shapes.
  func callAsFunction(
    image: Variable, places: Variable, tokens: Variable
  ) -> (tokens: Variable, image: Variable) {
    var (queries, keys) = (tokens, image)
    for layer in layers {
      (queries, keys) = layer(queries: queries, keys: keys, queryPlaces: tokens, places: places)
    }
    let attended = finalAttention(queries + tokens, keys + places, keys)
    return (finalNorm(queries + attended), keys)
  }
}

/// Self-attention of tokens, tokens to image, an MLP, image to tokens.
struct TwoWayBlock: Sendable {
  private let isFirst: Bool
  private let selfAttention: DecoderAttention
  private let tokenToImage: DecoderAttention
  private let imageToToken: DecoderAttention
  private let norms: [LayerNorm]
  private let expand: Linear
  private let contract: Linear

  init(_ parameters: Parameters, width: Int, isFirst: Bool) throws {
    self.isFirst = isFirst
    let attention = { (name: String) in
      try DecoderAttention(parameters[name], width: width)
    }
    selfAttention = try attention("self_attn")
    tokenToImage = try attention("cross_attn_token_to_image")
    imageToToken = try attention("cross_attn_image_to_token")
    norms = try (1...4).map { try LayerNorm(parameters["norm\($0)"], width, epsilon: 1e-5) }
    let hidden = parameters["mlp"]["lin1"].shape(of: "bias")?.first ?? 0
    expand = try Linear(parameters["mlp"]["lin1"], width, hidden)
    contract = try Linear(parameters["mlp"]["lin2"], hidden, width)
  }

  func callAsFunction(
    queries: Variable, keys: Variable, queryPlaces: Variable, places: Variable
  ) -> (Variable, Variable) {
    var queries = queries
    // In the first block tokens are their own places.
    if isFirst {
      queries = norms[0](selfAttention(queries, queries, queries))
    } else {
      let placed = queries + queryPlaces
      queries = norms[0](queries + selfAttention(placed, placed, queries))
    }
    let placedKeys = keys + places
    queries = norms[1](queries + tokenToImage(queries + queryPlaces, placedKeys, keys))
    queries = norms[2](queries + contract(expand(queries, activation: .relu)))
    let attended = imageToToken(placedKeys, queries + queryPlaces, queries)
    return (queries, norms[3](keys + attended))
  }
}

/// Attention whose inner width may be smaller than that of what it attends to.
struct DecoderAttention: Sendable {
  /// SAM's decoder has eight heads whatever its width; no shape tells.
  static let heads = 8

  private let queries: Linear
  private let keys: Linear
  private let values: Linear
  private let output: Linear

  init(_ parameters: Parameters, width: Int) throws {
    let inner = parameters["q_proj"].shape(of: "bias")?.first ?? 0
    guard inner % Self.heads == 0 else {
      throw RuntimeError(
        .unsupportedModel, subject: "mask_decoder.transformer",
        expected: "attention in \(Self.heads) heads", found: "a width of \(inner)")
    }
    queries = try Linear(parameters["q_proj"], width, inner)
    keys = try Linear(parameters["k_proj"], width, inner)
    values = try Linear(parameters["v_proj"], width, inner)
    output = try Linear(parameters["out_proj"], inner, width)
  }

  /// - Parameter q: [images, m, width]; k and v [images, n, width]; the result is like q.
  func callAsFunction(_ q: Variable, _ k: Variable, _ v: Variable) -> Variable {
    output(queries(q).attention(to: keys(k), values(v), heads: Self.heads))
  }
}
