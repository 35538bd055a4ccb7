import Numerics
import Surgery

/// SAM's image encoder, with MA-SAM's factors and adapters where the model has them.
///
/// Source: segment_anything/modeling/image_encoder.py; MA-SAM's sam_fact_tt_image_encoder.py.
public struct ImageEncoder: Sendable {
  private let patchEmbedding: PatchConvolution
  /// Of shape [1, grid, grid, width].
  private let positions: Variable
  private let blocks: [EncoderBlock]
  /// For each block the weights that are used where they lie in a file.
  private let mapped: [[Tensor]]
  private let neck: EncoderNeck
  /// Whether weights have copies of their own, which take the memory of others to keep.
  private let roundsWeights: Bool
  /// From the first block on that has anything to train: below nothing has a gradient.
  private let trainedBlocks: Range<Int>
  private let encoder: Architecture.Encoder
  private let adapters: Architecture.Adapters?

  /// What the encoder gives; all channels-last.
  public struct Output: Sendable {
    /// Of shape [images, grid, grid, decoder width].
    public var embeddings: Variable
    /// The outputs of the blocks that were asked for, [images, grid, grid, width].
    public var stages: [Variable]
  }

  /// - Throws: `RuntimeError` with code `unsupportedModel`.
  public init(
    _ parameters: Parameters, _ architecture: Architecture, precision: Precision
  ) throws {
    guard let encoder = architecture.encoder else {
      throw RuntimeError(
        .unsupportedModel, file: parameters.file, expected: "a model with an image encoder",
        found: "a delta",
        remedy: "combine it with its base: wt apply DELTA --base BASE -o MODEL")
    }
    guard let global = encoder.globalBlocks else {
      throw RuntimeError(
        .unsupportedModel, file: parameters.file,
        subject: ModelMetadata.Key.globalBlocks.rawValue,
        expected: "metadata that says which blocks attend globally",
        found: "none, and the shapes do not tell")
    }
    (self.encoder, adapters) = (encoder, architecture.adapters)
    let (width, grid) = (encoder.width, encoder.grid)
    // The first and the last layers have little to calculate, and their rounding nothing behind which
    // it averages out: they keep single precision.
    patchEmbedding = try PatchConvolution(
      parameters["patch_embed"]["proj"], 3, width, size: encoder.patch)
    positions = try parameters.variable("pos_embed", [1, grid, grid, width])
    var first = parameters.trainedCount > 0 ? 0 : encoder.depth
    let factors = try SharedFactors(parameters, architecture)
    if parameters.trainedCount > 0 { first = min(first, architecture.factors?.blocks.first ?? 0) }
    var mapped: [[Tensor]] = []
    blocks = try (0..<encoder.depth).map { index in
      let (count, trained) = (parameters.mapped.count, parameters.trainedCount)
      defer {
        mapped.append(Array(parameters.mapped[count...]))
        if parameters.trainedCount > trained { first = min(first, index) }
      }
      return try EncoderBlock(
        parameters["blocks"][index], encoder,
        window: global.contains(index) ? nil : encoder.window,
        factors: factors?.block(index, parameters["blocks"][index]["attn"]),
        adapters: architecture.adapters, precision: precision)
    }
    self.mapped = mapped
    trainedBlocks = min(first, encoder.depth)..<encoder.depth
    roundsWeights = precision == .brainFloat16
    neck = try EncoderNeck(parameters["neck"], width, architecture.decoder.width)
  }

  /// - Parameters:
  ///   - images: [stacks·slices, 3, height, width], of the model's size, normalised.
  ///   - slices: of each stack.
  ///   - stages: the blocks whose outputs are kept.
  ///   - tape: where the calculation is recorded when it is to be differentiated; of each
  ///     block little is kept, as `BlockMemory` says.
  ///   - observe: shown every block's output as it is made.
  public func callAsFunction(
    _ images: Tensor, slices: Int, stages: [Int] = [], tape: Tape? = nil,
    observe: (Int, Tensor) -> Void = { _, _ in }
  ) -> Output {
    let memory = BlockMemory(
      encoder, adapters, blocks: trainedBlocks, images: images.shape[0],
      roundsWeights: roundsWeights)
    var x = patchEmbedding(Variable(images.channelsLast(), tape: tape)) + positions
    var kept: [Variable] = []
    for (index, block) in blocks.enumerated() {
      tape?.whenReached { unload(index) }
      x = block(x, slices: slices, keeps: memory.kept(by: index) ?? .input)
      if tape != nil { unload(index) }
      observe(index, x.value)
      if stages.contains(index) { kept.append(x) }
    }
    return Output(embeddings: neck(x), stages: kept)
  }

  /// Gives the memory of a block's weights back until they are read from their file again, which the
  /// system has at hand: a training step needs each three times, and other memory all the while.
  private func unload(_ index: Int) {
    for tensor in mapped[index] { tensor.unload() }
  }

  /// The number of blocks.
  public var depth: Int { blocks.count }
}

/// A 1 × 1 and a 3 × 3 convolution, each with a normalisation, that bring tokens to the decoder.
struct EncoderNeck: Sendable {
  private let reduce: Linear
  private let firstNorm: LayerNorm
  private let smooth: Convolution
  private let secondNorm: LayerNorm

  init(_ parameters: Parameters, _ width: Int, _ output: Int) throws {
    reduce = try Linear(
      parameters["0"], width, output, hasBias: false, shape: [output, width, 1, 1])
    firstNorm = try LayerNorm(parameters["1"], output, epsilon: 1e-6)
    smooth = try Convolution(
      parameters["2"], output, output, kernel: 3, hasBias: false)
    secondNorm = try LayerNorm(parameters["3"], output, epsilon: 1e-6)
  }

  func callAsFunction(_ x: Variable) -> Variable { secondNorm(smooth(firstNorm(reduce(x)))) }
}
