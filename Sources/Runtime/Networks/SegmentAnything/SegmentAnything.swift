import Formats
import Numerics
import Surgery

/// SAM or MA-SAM: an image encoder, a prompt encoder and a mask decoder.
///
/// Source: segment_anything/modeling/sam.py; Chen et al., "MA-SAM" (2023).
public struct SegmentAnything: Sendable {
  public let architecture: Architecture
  public let imageEncoder: ImageEncoder
  public let promptEncoder: PromptEncoder
  public let maskDecoder: MaskDecoder
  /// Of shape [grid·grid, decoder width].
  private let places: Tensor
  /// The parameters that are trained, in a fixed order.
  public let trained: [(name: TensorName, variable: Variable)]

  /// What is done with low-rank factors when a model is loaded.
  public enum FactorTreatment: Sendable {
    /// Added to the weights, as `wt merge-fact` does: nothing is left to calculate.
    case folded
    /// Kept beside the weights and calculated with.
    case beside
  }

  /// Loads a model of any dialect.
  ///
  /// - Parameters:
  ///   - precision: of the image encoder, which has nearly all of the arithmetic.
  ///   - maps: whether weights are used where they lie in the file, which must not be cut meanwhile.
  ///   - trains: which parameters are trained; without it the model is for forward passes alone.
  /// - Throws: `SurgeryError` when it is none, `RuntimeError` when it is not complete.
  public init(
    _ plan: Blueprint, path: String, precision: Precision = .float32,
    factors: FactorTreatment = .folded, maps: Bool = false,
    trains: ((TensorName) -> Bool)? = nil
  ) throws {
    var plan = plan
    let found = try Architecture(plan)
    try ModelExtents.check(plan, found, path: path)
    try Self.checkFactors(found, path)
    let folds = found.decoder.hasFactors || (factors == .folded && found.factors != nil)
    if found.encoder != nil, folds {
      try MergeFactors(verifies: false).apply(to: &plan)
    }
    let loader = ParameterLoader(
      PlannedCheckpoint(plan, path: path), maps ? .mapped : .read,
      for: trains == nil ? .inference : .training, trains: trains ?? { _ in false })
    try self.init(loader, Architecture(plan), precision)
  }

  /// Checks that a plan is of a model that can be calculated with, for which no number is read.
  ///
  /// - Throws: as loading it does.
  public static func check(_ plan: Blueprint, path: String) throws {
    var plan = plan
    let found = try Architecture(plan)
    try ModelExtents.check(plan, found, path: path)
    try checkFactors(found, path)
    if found.decoder.hasFactors { try MergeFactors(verifies: false).apply(to: &plan) }
    let loader = ParameterLoader(PlannedCheckpoint(plan, path: path), .none)
    _ = try parts(loader, Architecture(plan), .float32)
  }

  /// Checks that what training gives of a model can be put back into it.
  ///
  /// - Throws: `RuntimeError` with code `notTrainable`.
  public static func checkTrainable(_ model: Architecture, path: String) throws {
    if let merged = model.merged {
      throw RuntimeError(
        .notTrainable, file: path, subject: ModelMetadata.Key.merged.rawValue,
        expected: "a model as it was before merging", found: "'\(merged.shortened())'",
        remedy: "train the model that was merged, or undo it: wt unmerge-fact")
    }
    guard !model.decoder.hasFactors else {
      throw RuntimeError(
        .notTrainable, file: path, expected: "a model without LoRA in its decoder",
        found: "one with it", remedy: "swap its decoder: 'swap-decoder' in a recipe of wt surgery")
    }
  }

  /// Factors that are there and yet were merged would count twice or not at all, nobody knows which.
  private static func checkFactors(_ model: Architecture, _ path: String) throws {
    guard let merged = model.merged, model.factors != nil else { return }
    throw RuntimeError(
      .unsupportedModel, file: path, subject: ModelMetadata.Key.merged.rawValue,
      expected: "factors that were merged or stand beside the weights",
      found: "'\(merged.shortened())' and factors",
      remedy: "write the file again from what it was made of")
  }

  private init(
    _ loader: ParameterLoader, _ architecture: Architecture, _ precision: Precision
  ) throws {
    self.architecture = architecture
    (imageEncoder, promptEncoder, maskDecoder) = try Self.parts(loader, architecture, precision)
    places = promptEncoder.places
    trained = loader.trained
  }

  /// All that a model is made of, when all of it is there and nothing else.
  private static func parts(
    _ loader: ParameterLoader, _ architecture: Architecture, _ precision: Precision
  ) throws -> (ImageEncoder, PromptEncoder, MaskDecoder) {
    // Prompt encoder and decoder are small, and training changes them: they keep their precision.
    let parts = (
      try ImageEncoder(loader["image_encoder"], architecture, precision: precision),
      try PromptEncoder(loader["prompt_encoder"], architecture),
      try MaskDecoder(loader["mask_decoder"], architecture)
    )
    // Old files carry the statistics of the input as constants.
    try loader.finish { $0 == "pixel_mean" || $0 == "pixel_std" }
    return parts
  }

  /// Everything that a forward pass gives.
  public struct Output: Sendable {
    /// Of shape [images, decoder width, grid, grid].
    public var embeddings: Tensor
    /// Of shape [images or prompts, mask tokens, height, width].
    public var masks: Tensor
    /// Of shape [images or prompts, mask tokens].
    public var iouPredictions: Tensor
  }

  /// Segments stacks of slices, each slice with its own box if there are boxes.
  ///
  /// - Parameters:
  ///   - images: [stacks·slices, 3, size, size], normalised.
  ///   - boxes: one for each slice.
  ///   - observe: shown every block's output [images, grid, grid, width] as it is made.
  public func callAsFunction(
    _ images: Tensor, slices: Int, boxes: [Prompts.Box]? = nil,
    observe: (Int, Tensor) -> Void = { _, _ in }
  ) -> Output {
    let encoded = encode(images, slices: slices, tape: nil, observe: observe)
    return Output(encoded, decode(encoded, boxes: boxes, tape: nil))
  }

  /// The logits [stacks·slices, mask tokens, height, width] of a calculation to be differentiated.
  ///
  /// The decoder, whose maps are large and whose arithmetic is little, is done again a few slices at
  /// a time.
  ///
  /// - Parameter images: [stacks·slices, 3, size, size], normalised.
  public func logits(
    _ images: Tensor, slices: Int, boxes: [Prompts.Box]?, tape: Tape
  ) -> Variable {
    let encoded = encode(images, slices: slices, tape: tape) { _, _ in }
    let size = Self.decodedAtOnce(pixels: images.shape[2] * images.shape[3])
    return Variable.parts(of: [encoded.embeddings] + encoded.stages, size: size) { range, inputs in
      let part = ImageEncoder.Output(embeddings: inputs[0], stages: Array(inputs.dropFirst()))
      return decode(part, boxes: boxes.map { Array($0[range]) }, tape: inputs[0].tape).masks
    }
  }

  /// How many slices of so many pixels are decoded at once where that is differentiated: one of
  /// 512 × 512, more of smaller ones.
  public static func decodedAtOnce(pixels: Int) -> Int { max(1, 512 * 512 / pixels) }

  private func encode(
    _ images: Tensor, slices: Int, tape: Tape?, observe: (Int, Tensor) -> Void
  ) -> ImageEncoder.Output {
    imageEncoder(
      images, slices: slices, stages: maskDecoder.stages(depth: imageEncoder.depth), tape: tape,
      observe: observe)
  }

  private func decode(
    _ encoded: ImageEncoder.Output, boxes: [Prompts.Box]?, tape: Tape?
  ) -> MaskDecoder.Output {
    let images = encoded.embeddings.shape[0]
    let prompts = Prompts(boxes: boxes)
    let nothing = Tensor(uninitialised: [images, 0, places.shape[1]])
    return maskDecoder(
      embeddings: encoded.embeddings, stages: encoded.stages, places: Variable(places),
      sparse: boxes == nil ? Variable(nothing) : promptEncoder.sparse(prompts, on: tape),
      dense: promptEncoder.dense(prompts, on: tape))
  }

  /// How many prompts are decoded at once: each has its own copy of the image's embedding.
  private static let promptsAtOnce = 16

  /// Segments one image by any number of prompts.
  ///
  /// - Parameter image: [1, 3, size, size], normalised.
  public func callAsFunction(
    _ image: Tensor, prompts: Prompts, observe: (Int, Tensor) -> Void = { _, _ in }
  ) -> Output {
    let encoded = encode(image, slices: 1, tape: nil, observe: observe)
    let parts = stride(from: 0, to: prompts.count, by: Self.promptsAtOnce).map { start in
      decode(encoded, prompts[start..<min(start + Self.promptsAtOnce, prompts.count)])
    }
    return Output(
      embeddings: encoded.embeddings.value.channelsFirst(),
      masks: Tensor.concatenated(parts.map(\.masks.value), axis: 0),
      iouPredictions: Tensor.concatenated(parts.map(\.iouPredictions.value), axis: 0))
  }

  /// Decodes an image once for each prompt.
  private func decode(_ encoded: ImageEncoder.Output, _ prompts: Prompts) -> MaskDecoder.Output {
    let repeated = { (variable: Variable) in Variable(variable.value[0].repeated(prompts.count)) }
    return maskDecoder(
      embeddings: repeated(encoded.embeddings), stages: encoded.stages.map(repeated),
      places: Variable(places), sparse: promptEncoder.sparse(prompts),
      dense: promptEncoder.dense(prompts))
  }
}

extension SegmentAnything.Output {
  fileprivate init(_ encoded: ImageEncoder.Output, _ decoded: MaskDecoder.Output) {
    self.init(
      embeddings: encoded.embeddings.value.channelsFirst(), masks: decoded.masks.value,
      iouPredictions: decoded.iouPredictions.value)
  }
}
