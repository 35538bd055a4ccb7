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

  /// How steps are made.
  public struct Settings: Sendable {
    public var loss = SegmentationLoss()
    public var schedule: LearningRateSchedule
    /// The share of the factors' activations that is dropped.
    public var dropout: Float = 0
    public var seed: UInt64
    /// The longest that the gradient may be, nil for any length.
    public var clipNorm: Double?
    /// Batches whose gradients are averaged in one step.
    public var accumulation = 1

    public init(schedule: LearningRateSchedule, seed: UInt64) {
      self.schedule = schedule
      self.seed = seed
    }
  }

  public let model: SegmentAnything
  public let settings: Settings
  private let optimiser: any Optimiser

  /// - Parameter model: loaded with what is to be trained.
  public init(_ model: SegmentAnything, _ optimiser: any Optimiser, _ settings: Settings) {
    self.model = model
    self.optimiser = optimiser
    self.settings = settings
  }

  /// Makes one step.
  ///
  /// - Parameter batches: as many as are accumulated.
  /// - Throws: `TrainingError` with code `notFinite`; the parameters are then as before the step.
  public func step(_ step: Int, _ batches: () throws -> TrainingBatch) throws -> Report {
    var sums = (loss: 0.0, entropy: 0.0, dice: 0.0)
    let share = 1 / Double(settings.accumulation)
    for part in 0..<settings.accumulation {
      let value = try differentiate(batches(), number: step * settings.accumulation + part)
      sums.loss += value.loss * share
      sums.entropy += value.entropy * share
      sums.dice += value.dice * share
    }
    let tensors = trained { $0.take() }
    try Gradients.checkFinite(tensors, step: step)
    let norm = Gradients.norm(tensors)
    if let limit = settings.clipNorm { Gradients.clip(tensors, norm: norm, to: limit) }
    let rate = settings.schedule(step)
    optimiser.step(tensors, rate: rate)
    return Report(
      step: step, loss: sums.loss, entropy: sums.entropy, dice: sums.dice, rate: rate,
      gradientNorm: norm)
  }

  /// Adds a batch's part to the gradients.
  private func differentiate(
    _ batch: TrainingBatch, number: Int
  ) throws -> SegmentationLoss.Value {
    let dropout = Dropout(
      rate: settings.dropout, seed: settings.seed, step: UInt32(truncatingIfNeeded: number))
    let tape = Tape(dropout: settings.dropout > 0 ? dropout : nil)
    let images = batch.images
    let size = (height: images.shape[3], width: images.shape[4])
    let logits = model.logits(
      images.reshaped(to: [images.shape[0] * images.shape[1]] + images.shape.dropFirst(2)),
      slices: images.shape[1], boxes: batch.boxes, tape: tape)
    let labels = LabelMaps.resized(
      batch.labels, from: size, to: (height: logits.shape[2], width: logits.shape[3]))
    let value = settings.loss(
      logits: logits.value, labels: labels, scale: 1 / Double(settings.accumulation))
    logits.gradient?.accumulate(value.gradient)
    tape.runBackward()
    return value
  }

  private func trained(_ gradient: (Gradient) -> Tensor?) -> [TrainedTensor] {
    model.trained.map { name, variable in
      TrainedTensor(
        name: name.text, value: variable.value, gradient: variable.gradient.flatMap(gradient))
    }
  }
}

extension Trainer {
  /// The optimiser's state as tensors.
  public func writeOptimiser(to path: String, _ fileSystem: any FileSystem) throws {
    let entries = optimiser.state
    let infos = try entries.map { entry in
      switch entry.contents {
      case .tensor(let tensor):
        try TensorInfo(name: TensorName(entry.name), dtype: .float32, shape: tensor.shape)
      case .count: try TensorInfo(name: TensorName(entry.name), dtype: .int64, shape: [])
      }
    }
    _ = try CheckpointWriter(infos, fileSystem: fileSystem) { index in
      switch entries[index].contents {
      case .tensor(let tensor): FloatReader(tensor)
      case .count(let count): BytesReader(littleEndian: Int64(count))
      }
    }.write(to: path, overwrite: false)
  }

  /// Brings parameters and optimiser to where a checkpoint left them.
  ///
  /// - Parameters:
  ///   - delta: holds every parameter that is trained.
  ///   - state: what `writeOptimiser` wrote.
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

/// Hands out a few bytes.
private final class BytesReader: TensorReader {
  private var rest: ArraySlice<UInt8>

  init(littleEndian value: Int64) {
    rest = withUnsafeBytes(of: value.littleEndian) { Array($0)[...] }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let part = rest.prefix(buffer.count)
    buffer.copyBytes(from: part)
    rest = rest.dropFirst(part.count)
    return part.count
  }
}
