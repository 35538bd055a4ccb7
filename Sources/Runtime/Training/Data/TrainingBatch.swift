import Networks
import Numerics

/// Stacks of slices that one step sees at once, with what is to be found in them.
public struct TrainingBatch: Sendable {
  /// Of shape [stacks, slices, 3, height, width], normalised.
  public var images: Tensor
  /// Of shape [stacks·slices, height, width], each a class or `SegmentationLoss.ignored`.
  public var labels: [Int16]
  /// One for each slice, in pixels; nil when nothing is pointed at.
  public var boxes: [Prompts.Box]?

  public init(images: Tensor, labels: [Int16], boxes: [Prompts.Box]? = nil) {
    let shape = images.shape
    precondition(shape.count == 5 && labels.count == shape[0] * shape[1] * shape[3] * shape[4])
    precondition(boxes.map { $0.count == shape[0] * shape[1] } ?? true)
    self.images = images
    self.labels = labels
    self.boxes = boxes
  }
}

/// Where training gets its batches from.
///
/// A batch depends on its number alone, so that a run can go on anywhere.
public protocol BatchSource: Sendable {
  /// Batches until the data have been seen once.
  var batchesPerEpoch: Int { get }

  /// Whether a step may take its batches from the end of one epoch and the beginning of the next.
  var isCyclic: Bool { get }

  /// The batch of a number from 0 on, without end.
  ///
  /// Gradients of several batches may be accumulated for one step of the optimiser; every batch
  /// then has a number of its own.
  /// - Throws: what reading the data throws.
  func batch(step: Int) throws -> TrainingBatch
}

extension BatchSource {
  public var isCyclic: Bool { false }

  /// The batches of a step that accumulates so many; the last of an epoch may have fewer.
  func batches(ofStep step: Int, accumulating count: Int) -> Range<Int> {
    guard !isCyclic else { return step * count..<(step + 1) * count }
    let perEpoch = (batchesPerEpoch + count - 1) / count
    let (epoch, place) = step.quotientAndRemainder(dividingBy: perEpoch)
    let start = epoch * batchesPerEpoch + place * count
    return start..<min(start + count, (epoch + 1) * batchesPerEpoch)
  }
}
