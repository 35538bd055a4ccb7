import Formats
import Numerics
import Surgery

/// What a forward pass works on, as its file describes it.
public enum ForwardInput: Sendable {
  /// Stacks of slices [stacks, slices, 3, size, size], normalised, each slice with its box if any.
  case stacks(Tensor, boxes: [Prompts.Box]?)
  /// An image and what is pointed at, in the image's own pixels.
  case image(ByteImage, Prompts)

  /// The tensors that a file of inputs may have.
  public static let names = ["input", "boxes", "image", "points", "labels", "box", "mask_input"]

  /// The tensors of a file that nothing reads: neither inputs nor what `wt forward` writes for them.
  public static func unused(in checkpoint: any Checkpoint) -> [TensorName] {
    let known = Set(names + MaskOutputs.names + SegmentAnything.outputNames)
    return checkpoint.tensors.map(\.name).filter {
      !known.contains($0.text) && !$0.text.hasPrefix(SegmentAnything.tracePrefix)
    }
  }

  /// More prompts make more masks than memory holds.
  private static let mostPrompts = 4096

  /// Reads `input` and `boxes`, or `image` and its prompts.
  ///
  /// - Throws: `RuntimeError` with code `badInput`, `wrongShape`, `wrongSize` or `notFinite`.
  public init(_ checkpoint: any Checkpoint, for architecture: Architecture) throws {
    let file = InputFields(checkpoint)
    switch (file.has("input"), file.has("image")) {
    case (true, false): self = try Self.stacks(file, architecture)
    case (false, true): self = try Self.image(file, architecture)
    default:
      throw RuntimeError(
        .badInput, file: checkpoint.path, expected: "either 'input' or 'image'",
        found: file.has("input") ? "both" : "neither")
    }
  }

  private static func stacks(_ file: InputFields, _ architecture: Architecture) throws -> Self {
    try file.refuse(["image", "points", "labels", "box", "mask_input"], beside: "input")
    let size = architecture.imageSize ?? 0
    let input = try file.floats("input", ["B", "N", "3", "H", "W"]) {
      $0.count == 5 && $0[2] == 3 && $0.allSatisfy { $0 > 0 }
    }
    let found = (input.shape[3], input.shape[4])
    guard found == (size, size) else {
      throw RuntimeError(
        .wrongSize, file: file.path, subject: "input", expected: "\(size) × \(size) pixels",
        found: "\(found.0) × \(found.1)",
        remedy: "resample the input, or adapt the model with --image-size")
    }
    let images = input.shape[0] * input.shape[1]
    let boxes = try file.boxes("boxes", count: images)
    return .stacks(input, boxes: boxes)
  }

  private static func image(_ file: InputFields, _ architecture: Architecture) throws -> Self {
    try file.refuse(["boxes"], beside: "image")
    let image = try file.image("image")
    let points = try file.points("points", "labels")
    let count = points?.count
    let boxes = try file.boxes("box", count: count)
    let side = 4 * (architecture.encoder?.grid ?? 0)
    let masks =
      try file.has("mask_input")
      ? file.floats("mask_input", ["P", "1", "\(side)", "\(side)"]) {
        $0.count == 4 && $0[1...] == [1, side, side] && $0[0] == count ?? boxes?.count ?? $0[0]
          && $0[0] > 0
      } : nil
    let prompts = Prompts(
      points: points, boxes: boxes,
      masks: masks.map { $0.reshaped($0.shape[0], side, side, 1) })
    guard prompts.count <= mostPrompts else {
      throw RuntimeError(
        .badInput, file: file.path, expected: "at most \(mostPrompts) prompts",
        found: "\(prompts.count)", remedy: "share them out among several files")
    }
    return .image(image, prompts)
  }
}
