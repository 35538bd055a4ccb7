import Networks
import Numerics

/// What one forward and backward pass works on.
public struct TrainingBatch: Sendable {
  /// Of shape [stacks, slices, 3, height, width], as the model expects them.
  public var images: Tensor
  /// Of shape [stacks·slices, height, width]: classes, or `SegmentationLoss.ignored`.
  public var labels: [Int16]
  /// One for each slice, in pixels; nil without prompts.
  public var boxes: [Prompts.Box]?

  public init(images: Tensor, labels: [Int16], boxes: [Prompts.Box]? = nil) {
    self.images = images
    self.labels = labels
    self.boxes = boxes
  }
}
