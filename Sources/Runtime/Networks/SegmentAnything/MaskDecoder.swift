import Numerics
import Surgery

/// SAM's mask decoder, with its own, the progressive or the multi-scale upscaling.
///
/// Source: segment_anything/modeling/mask_decoder.py; MA-SAM's of the same name.
public struct MaskDecoder: Sendable {
  private let transformer: TwoWayTransformer
  /// The IoU token [1, width] and the mask tokens [masks, width].
  private let outputTokens: [Variable]
  private let upscaling: Upscaling
  private let hyperNetworks: [ReLUNetwork]
  private let iouHead: ReLUNetwork
  private let maskTokens: Int

  public struct Output: Sendable {
    /// Logits [images, mask tokens, height, width], of the decoder's own resolution.
    public var masks: Variable
    /// How well each mask is thought to fit, [images, mask tokens].
    public var iouPredictions: Variable
  }

  public init(
    _ parameters: Parameters, _ architecture: Architecture
  ) throws {
    let (width, count) = (architecture.decoder.width, architecture.decoder.maskTokens)
    maskTokens = count
    transformer = try TwoWayTransformer(
      parameters["transformer"], width: width)
    outputTokens = [
      try parameters["iou_token"].variable("weight", [1, width]),
      try parameters["mask_tokens"].variable("weight", [count, width]),
    ]
    upscaling = try Upscaling(parameters, architecture)
    let channels = upscaling.channels
    hyperNetworks = try (0..<count).map {
      try ReLUNetwork(
        parameters["output_hypernetworks_mlps"][$0], width, output: channels)
    }
    iouHead = try ReLUNetwork(
      parameters["iou_prediction_head"], width, output: count)
  }

  /// The encoder's blocks whose outputs the upscaling takes in, first the earliest.
  public func stages(depth: Int) -> [Int] { upscaling.stages(depth: depth) }

  /// - Parameters:
  ///   - embeddings: of each image, [images, grid, grid, width].
  ///   - stages: outputs of the encoder's blocks that `stages(depth:)` names.
  ///   - places: [grid·grid, width]
  ///   - sparse: [images, tokens, width]
  ///   - dense: [1, width] or [images, grid·grid, width]
  public func callAsFunction(
    embeddings: Variable, stages: [Variable], places: Variable, sparse: Variable, dense: Variable
  ) -> Output {
    let (images, grid, width) = (embeddings.shape[0], embeddings.shape[1], embeddings.shape[3])
    let fixed = Variable.concatenated(outputTokens.map { $0.on(embeddings.tape) }, axis: 0)
    let tokens = Variable.concatenated([fixed.repeated(images), sparse], axis: 1)
    let (attended, image) = transformer(
      image: embeddings.reshaped(images, grid * grid, width) + dense, places: places,
      tokens: tokens)
    let upscaled = upscaling(image.reshaped(images, grid, grid, width), stages: stages)
    let weights = hyperNetworks.enumerated().map { index, network in
      network(attended.narrowed(1, index + 1..<index + 2))
    }
    let (height, columns) = (upscaled.shape[1], upscaled.shape[2])
    let masks = Variable.concatenated(weights, axis: 1).productWithTransposed(
      upscaled.reshaped(images, height * columns, upscaled.shape[3]))
    return Output(
      masks: masks.reshaped(images, maskTokens, height, columns),
      iouPredictions: iouHead(attended.narrowed(1, 0..<1)).reshaped(images, maskTokens))
  }
}

/// Layers with ReLU between them; as deep as the file has them.
struct ReLUNetwork: Sendable {
  private let layers: [Linear]

  init(_ parameters: Parameters, _ input: Int, output: Int) throws {
    let layers = parameters["layers"]
    let depth = (0...).prefix { layers[$0].shape(of: "bias") != nil }.count
    var width = input
    self.layers = try (0..<depth).map { index in
      let next = index == depth - 1 ? output : layers[index].shape(of: "bias")?.first ?? 0
      defer { width = next }
      return try Linear(layers[index], width, next)
    }
  }

  func callAsFunction(_ x: Variable) -> Variable {
    var x = x
    for (index, layer) in layers.enumerated() {
      x = layer(x, activation: index < layers.count - 1 ? .relu : .none)
    }
    return x
  }
}
