import Numerics
import Surgery

/// What a user points at, in pixels of the model's input.
public struct Prompts: Sendable {
  /// A place, and whether it belongs to the object.
  public struct Point: Sendable {
    public var x: Float
    public var y: Float
    /// 1 inside, 0 outside, −1 for a place that says nothing.
    public var label: Int
    public init(x: Float, y: Float, label: Int) {
      self.x = x
      self.y = y
      self.label = label
    }
  }

  public struct Box: Sendable {
    public var left: Float
    public var top: Float
    public var right: Float
    public var bottom: Float
    public init(left: Float, top: Float, right: Float, bottom: Float) {
      self.left = left
      self.top = top
      self.right = right
      self.bottom = bottom
    }
  }

  /// The same number of points for every prompt; nil for none at all.
  public var points: [[Point]]?
  /// One for every prompt.
  public var boxes: [Box]?
  /// Logits [prompts, 4·grid, 4·grid, 1].
  public var masks: Tensor?

  public init(points: [[Point]]? = nil, boxes: [Box]? = nil, masks: Tensor? = nil) {
    self.points = points
    self.boxes = boxes
    self.masks = masks
  }

  /// The number of prompts; one when nothing is pointed at.
  public var count: Int { points?.count ?? boxes?.count ?? masks?.shape[0] ?? 1 }

  /// Some of the prompts.
  subscript(_ range: Range<Int>) -> Prompts {
    Prompts(
      points: points.map { Array($0[range]) }, boxes: boxes.map { Array($0[range]) },
      masks: masks?.narrowed(0, range))
  }
}

/// Turns points, boxes and masks into what the decoder attends to.
///
/// Source: segment_anything/modeling/prompt_encoder.py
public struct PromptEncoder: Sendable {
  private let encoding: PositionEncoding
  /// For each label and corner, and last for no point at all, [1, width] each.
  private let embeddings: [Variable]
  /// Of shape [1, width].
  private let noMask: Variable
  private let maskDownscaling: MaskDownscaling
  private let width: Int
  private let grid: Int
  /// Pixels a side of the input that coordinates are measured in.
  private let imageSize: Int

  public init(
    _ parameters: Parameters, _ architecture: Architecture
  ) throws {
    width = architecture.decoder.width
    grid = architecture.encoder?.grid ?? 0
    imageSize = architecture.encoder?.imageSize ?? 0
    let width = width
    encoding = try PositionEncoding(parameters["pe_layer"], width: width)
    let kinds = parameters["point_embeddings"]
    let count = (0...).prefix { kinds[$0].shape(of: "weight") != nil }.count
    guard count >= 4 else {
      throw RuntimeError(
        .unsupportedModel, subject: kinds.path, expected: "4 embeddings", found: "\(count)")
    }
    let names = (0..<count).map { kinds[$0] } + [parameters["not_a_point_embed"]]
    embeddings = try names.map { try $0.variable("weight", [1, width]) }
    noMask = try parameters["no_mask_embed"].variable("weight", [1, width])
    maskDownscaling = try MaskDownscaling(
      parameters["mask_downscaling"], width)
  }

  /// The encoding of every token's place, [grid·grid, width].
  public var places: Tensor { encoding.grid(grid) }

  /// Points and boxes as tokens, [prompts, tokens, width].
  public func sparse(_ prompts: Prompts, on tape: Tape? = nil) -> Variable {
    var tokens: [Token] = []
    for index in 0..<prompts.count {
      if let points = prompts.points?[index] {
        tokens += points.map(token)
        // Without a box SAM fills its place with a point that says nothing.
        if prompts.boxes == nil { tokens.append(token(.init(x: 0, y: 0, label: -1))) }
      }
      if let box = prompts.boxes?[index] {
        tokens.append(corner(box.left, box.top, kind: 2))
        tokens.append(corner(box.right, box.bottom, kind: 3))
      }
    }
    let places = Tensor(tokens.flatMap(\.place), shape: [tokens.count, width])
    return (kinds(of: tokens, on: tape) + Variable(places)).reshaped(
      prompts.count, tokens.count / prompts.count, width)
  }

  /// What is added to every token of the image: [1, width], or [prompts, grid·grid, width].
  public func dense(_ prompts: Prompts, on tape: Tape? = nil) -> Variable {
    guard let masks = prompts.masks else { return noMask.on(tape) }
    return maskDownscaling(Variable(masks, tape: tape)).reshaped(
      masks.shape[0], grid * grid, width)
  }

  /// Every token's embedding; those that no token has stay out of the calculation.
  private func kinds(of tokens: [Token], on tape: Tape?) -> Variable {
    let used = embeddings.indices.filter { index in tokens.contains { $0.kind == index } }
    let rows = tokens.map { token in token.kind.flatMap { used.firstIndex(of: $0) } }
    guard !used.isEmpty else {
      return Variable(Tensor(repeating: 0, shape: [tokens.count, width]), tape: tape)
    }
    return Variable.concatenated(used.map { embeddings[$0].on(tape) }, axis: 0).gathered(rows)
  }

  /// The encoding of a place, and which embedding is added to it.
  private struct Token {
    var place: [Float]
    var kind: Int?
  }

  private func token(_ point: Prompts.Point) -> Token {
    switch point.label {
    case -1: Token(place: [Float](repeating: 0, count: width), kind: embeddings.count - 1)
    case 0, 1: corner(point.x, point.y, kind: point.label)
    default: corner(point.x, point.y, kind: nil)
    }
  }

  private func corner(_ x: Float, _ y: Float, kind: Int?) -> Token {
    Token(place: encoding(x: scaled(x), y: scaled(y)), kind: kind)
  }

  /// From pixels, whose centres are half-way, to 0 … 1.
  private func scaled(_ coordinate: Float) -> Float { (coordinate + 0.5) / Float(imageSize) }
}

/// Brings a mask of four times the grid's resolution to the grid.
struct MaskDownscaling: Sendable {
  private let first: PatchConvolution
  private let firstNorm: LayerNorm
  private let second: PatchConvolution
  private let secondNorm: LayerNorm
  private let last: Linear

  init(_ parameters: Parameters, _ width: Int) throws {
    let narrow = parameters["0"].shape(of: "bias")?.first ?? 0
    let wide = parameters["3"].shape(of: "bias")?.first ?? 0
    first = try PatchConvolution(parameters["0"], 1, narrow, size: 2)
    firstNorm = try LayerNorm(parameters["1"], narrow, epsilon: 1e-6)
    second = try PatchConvolution(parameters["3"], narrow, wide, size: 2)
    secondNorm = try LayerNorm(parameters["4"], wide, epsilon: 1e-6)
    last = try Linear(parameters["6"], wide, width, shape: [width, wide, 1, 1])
  }

  func callAsFunction(_ masks: Variable) -> Variable {
    let half = firstNorm.normaliseAndActivate(first(masks))
    return last(secondNorm.normaliseAndActivate(second(half)))
  }
}
