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

  /// The batch of a number from 0 on, without end.
  ///
  /// Gradients of several batches may be accumulated for one step of the optimiser; every batch
  /// then has a number of its own.
  /// - Throws: what reading the data throws.
  func batch(step: Int) throws -> TrainingBatch
}
