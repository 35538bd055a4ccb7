import Formats
import Networks
import Numerics
import Support
import Surgery

/// The arithmetic of a model on one stack of slices, stage by stage.
///
/// Counted are the multiplications and additions of matrix products and of attention, two for each
/// number of a weight and row that it meets; what is done number by number is not. Factors are
/// folded into the weights for a forward pass, as `wt forward` does, and stand beside them in training.
public struct Workload: Sendable {
  /// Stages in the order of a forward pass; the raw value is what people read.
  public enum Stage: String, Sendable, CaseIterable {
    case patchEmbedding = "patch embedding"
    case projections = "attention projections"
    case windowedAttention = "windowed attention"
    case globalAttention = "global attention"
    case mlp = "MLP"
    case adapters
    case factors
    case neck
    case decoder

    /// What the gradients take, in forward passes: a product takes one for that of its input and one more for
    /// that of its weight if it is trained, attention five products where it takes two forward.
    fileprivate var backwardPasses: Double {
      switch self {
      case .patchEmbedding: 0
      case .neck, .projections, .mlp: 1
      case .windowedAttention, .globalAttention: 2.5
      case .adapters, .factors, .decoder: 2
      }
    }
  }

  public let slices: Int
  /// Floating-point operations of each stage in a forward pass.
  public private(set) var forward: [Stage: Int] = [:]
  /// The part of it that training differentiates.
  private var differentiated: [Stage: Int] = [:]
  /// What training calculates a second time, as its results were not kept.
  private var again: [Stage: Int] = [:]
  /// Of the factors, which only training calculates by themselves.
  private var factorOperations = 0

  /// - Parameters:
  ///   - plan: a whole model under canonical names.
  ///   - slices: of the stack.
  ///   - precision: of the matrix products, which decides how much a training step keeps.
  ///   - path: its file, as errors name it.
  /// - Throws: `SurgeryError` when it is no model, `RuntimeError` with code `unsupportedModel` when it
  ///   has no encoder or extents that only a forged file has.
  public init(
    _ plan: Blueprint, slices: Int, precision: Precision, path: String? = nil
  ) throws {
    precondition(slices > 0)
    self.slices = slices
    let model = try Architecture(plan)
    let encoder = try Self.countableEncoder(of: model, plan, slices: slices, path: path)
    let weights = plan.entries.map(\.info).filter {
      $0.name.text.hasSuffix(".weight") && $0.shape.count > 1
    }
    let memory = BlockMemory(training: plan, model, encoder, images: slices, precision)
    for weight in weights { addEncoder(weight, encoder, memory) }
    addAttention(encoder, memory)
    addFactors(model, encoder)
    addDecoder(DecoderWorkload(plan, model, images: slices, grid: encoder.grid), encoder)
  }

  /// Every count and estimate is a small multiple of tokens times parameters and keys, or of the decoder's
  /// work; below this limit, thousands of slices of ViT-H, none of them overflows.
  private static let mostTokenWork = 0x1p54

  /// The model's encoder, if it has one and none of its extents is absurd.
  static func countableEncoder(
    of model: Architecture, _ plan: Blueprint, slices: Int, path: String?
  ) throws -> Architecture.Encoder {
    guard let encoder = model.encoder else {
      throw RuntimeError(
        .unsupportedModel, file: path, expected: "a model with an image encoder",
        found: "a delta", remedy: "combine it with its base: wt apply DELTA --base BASE -o MODEL")
    }
    try ModelExtents.check(plan, model, path: path)
    let tokens = Double(encoder.grid) * Double(encoder.grid)
    let extent = Double(max(encoder.grid, encoder.window ?? 0))
    let keys = Double(encoder.depth) * Double(encoder.attentionWidth) * extent * extent
    let decoder = DecoderWorkload(plan, model, images: slices, grid: encoder.grid)
    let work =
      Double(slices) * tokens * (ModelExtents.parameterCount(plan) + keys) + decoder.operations
    guard work < mostTokenWork else {
      throw RuntimeError(
        .unsupportedModel, file: path,
        subject: "\(slices) slices of \(encoder.imageSize) pixels a side",
        expected: "work that can be counted", found: "more than 2^54 products",
        remedy: "plan for fewer slices with --slices, and see its shapes with wt inspect")
    }
    return encoder
  }

  /// Of a whole forward pass.
  public var forwardOperations: Int { forward.values.reduce(0, +) }

  /// Of a training step with frozen weights, what was not kept calculated again for its gradients.
  ///
  /// Nothing is differentiated below the first block that has anything to train.
  public var training: [Stage: Int] {
    var operations = forward.merging(again, uniquingKeysWith: +)
    for (stage, count) in differentiated {
      operations[stage, default: 0] += Int(stage.backwardPasses * Double(count))
    }
    if factorOperations > 0 { operations[.factors] = 4 * factorOperations }
    return operations
  }

  public var trainingOperations: Int { training.values.reduce(0, +) }

  /// - Parameters:
  ///   - isDifferentiated: whether training needs gradients of it.
  ///   - isAgain: whether it is calculated again for them.
  private mutating func add(
    _ stage: Stage, _ operations: Int, isDifferentiated: Bool, isAgain: Bool = false
  ) {
    guard operations > 0 else { return }
    forward[stage, default: 0] += operations
    if isDifferentiated { differentiated[stage, default: 0] += operations }
    if isAgain { again[stage, default: 0] += operations }
  }

  private mutating func addEncoder(
    _ weight: TensorInfo, _ encoder: Architecture.Encoder, _ memory: BlockMemory
  ) {
    let (name, rows) = (weight.name.text, slices * encoder.grid * encoder.grid)
    guard name.hasPrefix("image_encoder."), let stage = Self.stage(name) else { return }
    var operations = 2 * rows * weight.elementCount
    if name.contains(".adapter_conv") {
      // The first and the last slice have a neighbour on one side only.
      let taps = 3 * slices - 2
      operations = 2 * taps * encoder.grid * encoder.grid * (weight.elementCount / 3)
    }
    guard let block = weight.name.encoderBlock else {
      let isAbove = stage == .neck && !memory.blocks.isEmpty
      return add(stage, operations, isDifferentiated: isAbove)
    }
    let share = memory.kept(by: block)
    add(
      stage, operations, isDifferentiated: share != nil,
      isAgain: share.map { Self.isAgain(name, $0) } ?? false)
  }

  /// Whether a layer's result is calculated again in a block that keeps so much.
  private static func isAgain(_ name: String, _ share: BlockMemory.Share) -> Bool {
    switch share {
    case .input: !name.contains(".lin2.")
    case .more: recalculated.contains(where: name.contains)
    case .hidden: recalculated.contains(where: name.contains) && !name.contains(".lin1.")
    }
  }

  /// The layers of a block that keeps more whose results are calculated again: neither a residual
  /// connection's last one nor one whose result is kept.
  private static let recalculated = [
    ".attn.qkv.", ".mlp.lin1.", ".adapter_linear_down", ".adapter_linear_up",
  ]

  /// The encoder's stage in which every token meets a weight, nil for other tensors.
  private static func stage(_ name: String) -> Stage? {
    let stages: [(String, Stage)] = [
      (".patch_embed.", .patchEmbedding), (".attn.qkv.", .projections),
      (".attn.proj.", .projections), (".mlp.", .mlp), (".adapter_", .adapters), (".neck.", .neck),
    ]
    return stages.first { name.contains($0.0) }?.1
  }

  /// Scores, the positions' share of them, and the weighted sum of values.
  private mutating func addAttention(_ encoder: Architecture.Encoder, _ memory: BlockMemory) {
    let tokens = encoder.grid * encoder.grid
    for block in 0..<encoder.depth {
      let isGlobal = encoder.window == nil || encoder.globalBlocks?.contains(block) == true
      let extent = isGlobal ? encoder.grid : encoder.window ?? encoder.grid
      // Tokens that pad a window are keys of others and have no queries.
      let operations = 2 * tokens * encoder.attentionWidth * (2 * extent * extent + 2 * extent)
      let stage = isGlobal ? Stage.globalAttention : .windowedAttention
      let share = memory.kept(by: block)
      add(
        stage, slices * operations, isDifferentiated: share != nil, isAgain: share == .input)
    }
  }

  private mutating func addFactors(_ model: Architecture, _ encoder: Architecture.Encoder) {
    guard let factors = model.factors else { return }
    let core = factors.kind == .lora ? 0 : factors.rank * factors.rank
    let numbers = factors.rank * (encoder.width + encoder.attentionWidth) + core
    let rows = slices * encoder.grid * encoder.grid
    factorOperations = factors.blocks.count * 2 * 2 * rows * numbers
  }

  /// Training decodes a few slices at a time where there are many pixels, and then each twice.
  private mutating func addDecoder(_ decoder: DecoderWorkload, _ encoder: Architecture.Encoder) {
    let pixels = encoder.imageSize * encoder.imageSize
    add(
      .decoder, Int(decoder.operations), isDifferentiated: true,
      isAgain: slices > SegmentAnything.decodedAtOnce(pixels: pixels))
  }
}
