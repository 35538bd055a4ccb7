import Formats
import Numerics

/// Gradient descent with momentum, and decay as part of the gradient.
///
/// Source: `torch.optim.SGD` without dampening and Nesterov's variant.
public final class StochasticGradientDescent: Optimiser {
  public let decay: WeightDecay
  public let momentum: Double
  private var slots = OptimiserSlots(kinds: ["momentum_buffer"])

  public init(decay: WeightDecay, momentum: Double = 0.9) {
    self.decay = decay
    self.momentum = momentum
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
    let velocity: Tensor
    let decay: Float
    /// Zero at the first step, whose gradient is the velocity.
    let momentum: Float
    let rate: Float

    init(
      _ item: TrainedTensor, _ gradient: Tensor, _ slot: OptimiserSlots.Slot,
      _ optimiser: StochasticGradientDescent, _ rate: Double
    ) {
      value = item.value
      self.gradient = gradient
      velocity = slot.tensors[0]
      decay = Float(optimiser.decay(item))
      momentum = slot.steps > 1 ? Float(optimiser.momentum) : 0
      self.rate = Float(rate)
    }

    func apply(_ range: Range<Int>) {
      let (value, gradient, velocity) = (value.pointer, gradient.pointer, velocity.pointer)
      for place in range {
        let slope = gradient[place] + decay * value[place]
        velocity[place] = velocity[place] * momentum + slope
        value[place] -= rate * velocity[place]
      }
    }
  }
}
