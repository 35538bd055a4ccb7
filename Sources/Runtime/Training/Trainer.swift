import Formats
import Networks
import Numerics
import Support

/// Trains the parameters of a model, one step after another.
///
/// A step is a function of the parameters, the optimiser's state, the batches it is given and its own
/// number, so a training that is resumed gives the same bits as one that was not interrupted.
/// Source: Chen et al., "MA-SAM" (2023), trainer.py.
public final class Trainer {
  /// What a step is told by.
  public struct Report: Sendable, Equatable {
    /// From 0.
    public var step: Int
    public var loss: Double
    public var entropy: Double
    public var dice: Double
    /// The learning rate that the step used.
    public var rate: Double
    /// Of all gradients together, before they were clipped.
    public var gradientNorm: Double
  }

  public let model: SegmentAnything
  public let configuration: TrainingConfiguration
  private let schedule: LearningRateSchedule
  private let optimiser: any Optimiser
  private let loss: SegmentationLoss

  /// - Parameter model: loaded with what is to be trained.
  public init(
    _ model: SegmentAnything, _ configuration: TrainingConfiguration,
    schedule: LearningRateSchedule
  ) {
    self.model = model
    self.configuration = configuration
    self.schedule = schedule
    optimiser = configuration.makeOptimiser()
    loss = configuration.loss
  }

  /// Makes one step.
  ///
  /// - Parameter batches: whose gradients are averaged; at least one.
  /// - Throws: `TrainingError` with code `notFinite`, and the parameters are not to be kept then;
  ///   `badConfiguration` if the loss depends on nothing that is trained.
  public func step(
    _ step: Int, batches: Range<Int>, from source: any BatchSource
  ) throws -> Report {
    var sums = (loss: 0.0, entropy: 0.0, dice: 0.0)
    let share = 1 / Double(batches.count)
    for number in batches {
      let value = differentiate(try source.batch(step: number), number: number, share: share)
      sums.loss += value.loss * share
      sums.entropy += value.entropy * share
      sums.dice += value.dice * share
    }
    let tensors = trained { $0.take() }
    try checkReached(tensors)
    try Gradients.checkFinite(tensors, step: step)
    let norm = Gradients.norm(tensors)
    if let limit = configuration.clipNorm { Gradients.clip(tensors, norm: norm, to: limit) }
    let rate = schedule(step)
    optimiser.step(tensors, rate: rate)
    try Gradients.checkFiniteValues(tensors, step: step)
    return Report(
      step: step, loss: sums.loss, entropy: sums.entropy, dice: sums.dice, rate: rate,
      gradientNorm: norm)
  }

  private func checkReached(_ tensors: [TrainedTensor]) throws {
    guard !tensors.contains(where: { $0.gradient != nil }) else { return }
    throw TrainingError(
      .badConfiguration, expected: "tensors to train that the masks depend on",
      found: "\(tensors.first?.name ?? "none") and none that they do",
      remedy: "choose others: --train-pattern, --freeze-pattern")
  }

  /// Adds a batch's part to the gradients.
  private func differentiate(
    _ batch: TrainingBatch, number: Int, share: Double
  ) -> (loss: Double, entropy: Double, dice: Double) {
    let tape = Tape(
      dropout: Dropout(
        rate: Float(configuration.factorDropout), seed: configuration.seed,
        step: UInt32(truncatingIfNeeded: number)))
    let value = record(batch, share: share, on: tape)
    tape.runBackward()
    return value
  }

  /// Records a batch's loss, after which the tape alone holds logits and their gradient, and drops each
  /// when its turn is over.
  private func record(
    _ batch: TrainingBatch, share: Double, on tape: Tape
  ) -> (loss: Double, entropy: Double, dice: Double) {
    let images = batch.images
    let size = (height: images.shape[3], width: images.shape[4])
    let logits = model.logits(
      images.reshaped(to: [images.shape[0] * images.shape[1]] + images.shape.dropFirst(2)),
      slices: images.shape[1], boxes: batch.boxes, tape: tape)
    let labels = LabelMaps.resized(
      batch.labels, from: size, to: (height: logits.shape[2], width: logits.shape[3]))
    let value = loss(logits: logits.value, labels: labels, scale: share)
    logits.gradient?.accumulate(value.gradient)
    return (value.loss, value.entropy, value.dice)
  }

  private func trained(_ gradient: (Gradient) -> Tensor?) -> [TrainedTensor] {
    model.trained.map { name, variable in
      TrainedTensor(
        name: name.text, value: variable.value, gradient: variable.gradient.flatMap(gradient))
    }
  }
}

extension Trainer {
  /// The optimiser's state, for a checkpoint.
  public var state: [OptimiserEntry] { optimiser.state }

  /// Brings parameters and optimiser to where a checkpoint left them.
  ///
  /// - Parameters:
  ///   - delta: holds every parameter that is trained.
  ///   - state: the optimiser's.
  /// - Throws: `TrainingError` with code `stateMismatch`, or what reading throws.
  public func restore(delta: any Checkpoint, state: any Checkpoint) throws {
    for (name, variable) in model.trained {
      guard let place = delta.index(of: name), delta.tensors[place].shape == variable.shape else {
        throw TrainingError(
          .stateMismatch, file: delta.path, subject: name.text, expected: "\(variable.shape)",
          found: delta.index(of: name).map { "\(delta.tensors[$0].shape)" } ?? "no such tensor")
      }
      variable.value.copy(try Tensor(reading: delta, place))
    }
    try optimiser.restore(state, for: trained { _ in nil })
  }
}
