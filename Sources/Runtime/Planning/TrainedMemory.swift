import Formats
import Networks
import Surgery

/// What the encoder's blocks keep of a training step: those from the first one on that has anything to
/// train, since nothing is differentiated below.
struct TrainedMemory {
  /// The blocks that are differentiated.
  let blocks: Range<Int>
  private let memory: BlockMemory

  /// - Parameters:
  ///   - plan: a whole model under canonical names.
  ///   - images: slices of all stacks.
  init(
    _ plan: Blueprint, _ model: Architecture, _ encoder: Architecture.Encoder, images: Int,
    roundsWeights: Bool = false
  ) {
    let own = plan.entries.map(\.info.name).filter { ExtractDelta.isTrainable($0, model) }
    let trained = own.compactMap(\.encoderBlock) + (model.factors?.blocks ?? [])
    blocks = min(encoder.depth, trained.min() ?? encoder.depth)..<encoder.depth
    memory = BlockMemory(
      encoder, model.adapters, images: images, roundsWeights: roundsWeights)
  }

  /// What a block keeps, nil when it is not differentiated.
  func kept(by block: Int) -> BlockMemory.Share? {
    blocks.contains(block) ? memory.kept(by: block - blocks.lowerBound) : nil
  }

  /// Of all blocks together.
  var bytes: Int { memory.totalBytes(depth: blocks.count) }
}

extension TensorName {
  /// The encoder's block that a tensor belongs to, nil when it is none's.
  var encoderBlock: Int? {
    let parts = text.split(separator: ".")
    guard parts.count > 2, parts[0] == "image_encoder", parts[1] == "blocks" else { return nil }
    return Int(parts[2])
  }
}
