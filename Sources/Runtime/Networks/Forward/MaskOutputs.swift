import Formats
import Numerics

/// Masks at the size of the image that was given, as bytes that are 1 inside.
///
/// Source: segment_anything/predictor.py and modeling/sam.py, `postprocess_masks`
public struct MaskOutputs: Sendable {
  /// What follows from other outputs, so that nobody has to compare it.
  public static let names = ["masks", "best_masks"]

  /// Logits of the decoder's resolution, [prompts, mask tokens, height, width].
  private let logits: Tensor
  private let preprocessing: SAMPreprocessing
  /// Of each prompt's masks the one that is thought to fit best.
  public let best: [Int]

  /// - Returns: nil for stacks of slices, whose logits have the input's size or are resized by whoever
  ///   knows what they are for.
  public init?(_ outputs: [NamedTensor], of input: ForwardInput, modelSize: Int) {
    guard case .image(let image, _) = input,
      let logits = outputs.first(where: { $0.name == "low_res_logits" })?.tensor,
      let scores = outputs.first(where: { $0.name == "iou_predictions" })?.tensor
    else { return nil }
    self.logits = logits
    preprocessing = SAMPreprocessing(
      modelSize: modelSize, width: image.width, height: image.height)
    best = (0..<scores.shape[0]).map { Self.best(scores[$0].values) }
  }

  /// SAM's choice among several masks: token 0, its answer to a clear question, takes no part, unless
  /// it is the only one; of equals the first is taken.
  static func best(_ scores: [Float]) -> Int {
    let places = scores.count > 1 ? 1..<scores.count : 0..<scores.count
    return places.reduce(places.lowerBound) { scores[$1] > scores[$0] ? $1 : $0 }
  }

  /// Logits of one mask at the image's size, [height, width].
  public func restored(prompt: Int, token: Int) -> Tensor {
    let plane = logits.narrowed(0, prompt..<prompt + 1).narrowed(1, token..<token + 1).packed()
    return preprocessing.restored(plane).reshaped(preprocessing.height, preprocessing.width)
  }

  /// `masks` [prompts, mask tokens, height, width] and `best_masks` [prompts, height, width], made one
  /// mask after another while they are written.
  public func tensors() throws -> [(info: TensorInfo, reader: @Sendable () -> any TensorReader)] {
    let (prompts, tokens) = (logits.shape[0], logits.shape[1])
    let size = [preprocessing.height, preprocessing.width]
    let all = (0..<prompts).flatMap { prompt in (0..<tokens).map { (prompt, $0) } }
    let chosen = best.enumerated().map { ($0, $1) }
    return [
      (
        try TensorInfo(name: "masks", dtype: .uint8, shape: [prompts, tokens] + size),
        { MaskReader(self, all) }
      ),
      (
        try TensorInfo(name: "best_masks", dtype: .uint8, shape: [prompts] + size),
        { MaskReader(self, chosen) }
      ),
    ]
  }
}

/// Hands out masks, one plane in memory at a time.
private final class MaskReader: TensorReader {
  let isCalculated = true
  private let masks: MaskOutputs
  private var rest: ArraySlice<(Int, Int)>
  private var plane: ArraySlice<UInt8> = []

  init(_ masks: MaskOutputs, _ places: [(Int, Int)]) {
    self.masks = masks
    rest = places[...]
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var done = 0
    while done < buffer.count {
      if plane.isEmpty {
        guard let (prompt, token) = rest.popFirst() else { break }
        plane = masks.restored(prompt: prompt, token: token).values.map { $0 > 0 ? 1 : 0 }[...]
      }
      let part = plane.prefix(buffer.count - done)
      UnsafeMutableRawBufferPointer(rebasing: buffer[done...]).copyBytes(from: part)
      plane = plane.dropFirst(part.count)
      done += part.count
    }
    return done
  }
}
