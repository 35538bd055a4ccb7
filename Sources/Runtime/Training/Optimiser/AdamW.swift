import CKernels
import Formats
import Numerics

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Adam with weight decay that does not pass through the moments.
///
/// Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), in the order of
/// `torch.optim.AdamW` with `foreach=False`.
public final class AdamW: Optimiser {
  public let decay: WeightDecay
  public let betas: (first: Double, second: Double)
  public let epsilon: Double
  private var slots = OptimiserSlots(kinds: ["exp_avg", "exp_avg_sq"])

  public init(
    decay: WeightDecay, betas: (first: Double, second: Double) = (0.9, 0.999),
    epsilon: Double = 1e-8
  ) {
    self.decay = decay
    self.betas = betas
    self.epsilon = epsilon
  }

  public var state: [OptimiserEntry] { slots.entries }

  public func restore(_ checkpoint: any Checkpoint, for tensors: [TrainedTensor]) throws {
    try slots.restore(checkpoint, for: tensors)
  }

  public func step(_ tensors: [TrainedTensor], rate: Double) {
    slots.prepare(tensors)
    let moves = zip(tensors, slots.slots).compactMap { item, slot in
      item.gradient.map { Move(item, $0, slot, self, rate) }
    }
    TensorPieces(moves.map(\.value.count)).forEach { moves[$0.tensor].apply($0.range) }
  }

  /// One tensor's step.
  private struct Move: Sendable {
    let value: Tensor
    let gradient: Tensor
    let first: Tensor
    let second: Tensor
    let factors: wt_adamw_step

    init(
      _ item: TrainedTensor, _ gradient: Tensor, _ slot: OptimiserSlots.Slot, _ optimiser: AdamW,
      _ rate: Double
    ) {
      let (betas, steps) = (optimiser.betas, Double(slot.steps))
      value = item.value
      self.gradient = gradient
      (first, second) = (slot.tensors[0], slot.tensors[1])
      factors = wt_adamw_step(
        kept: Float(1 - rate * optimiser.decay(item)), first_share: Float(1 - betas.first),
        second_kept: Float(betas.second), second_share: Float(1 - betas.second),
        size: Float(-(rate / (1 - pow(betas.first, steps)))),
        root: Float((1 - pow(betas.second, steps)).squareRoot()),
        epsilon: Float(optimiser.epsilon))
    }

    func apply(_ range: Range<Int>) {
      let start = range.lowerBound
      withUnsafePointer(to: factors) { factors in
        wt_adamw(
          value.pointer + start, gradient.pointer + start, first.pointer + start,
          second.pointer + start, range.count, factors)
      }
    }
  }
}
