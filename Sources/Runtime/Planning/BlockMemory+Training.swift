import Formats
import Networks
import Numerics
import Surgery

extension BlockMemory {
  /// What a step of `wt train` keeps of a model that it trains as MA-SAM does.
  ///
  /// - Parameters:
  ///   - plan: a whole model under canonical names.
  ///   - images: slices of all stacks.
  init(
    training plan: Blueprint, _ model: Architecture, _ encoder: Architecture.Encoder, images: Int,
    _ precision: Precision
  ) {
    let own = plan.entries.map(\.info.name).filter { ExtractDelta.isTrainable($0, model) }
    let trained = own.compactMap(\.encoderBlock) + (model.factors?.blocks ?? [])
    let first = min(encoder.depth, trained.min() ?? encoder.depth)
    self.init(
      encoder, model.adapters, blocks: first..<encoder.depth, images: images,
      roundsWeights: precision == .brainFloat16)
  }
}

extension TensorName {
  /// The encoder's block that a tensor belongs to, nil when it is none's.
  var encoderBlock: Int? {
    let parts = text.split(separator: ".")
    guard parts.count > 2, parts[0] == "image_encoder", parts[1] == "blocks" else { return nil }
    return Int(parts[2])
  }
}
