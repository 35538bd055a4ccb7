import Networks
import Numerics
import Surgery

/// What segments stacks of slices.
public protocol StackModel: Sendable {
  /// Pixels a side of its input.
  var imageSize: Int { get }
  /// Of the foreground and the background, which is class 0.
  var classCount: Int { get }

  /// Logits [slices, classes, height, width] at a resolution of the model's own.
  ///
  /// - Parameters:
  ///   - images: one stack [slices, 3, size, size], from 0 to 1.
  ///   - boxes: one for each slice, in pixels of the input.
  func logits(_ images: Tensor, boxes: [Prompts.Box]?) -> Tensor
}

/// A model of the SAM family whose mask tokens are classes.
public struct Segmenter: StackModel {
  private let network: SegmentAnything
  public let imageSize: Int

  public var classCount: Int { network.architecture.decoder.maskTokens }

  /// - Throws: `RuntimeError` with code `unsupportedModel` for a model whose masks are no classes.
  public init(_ network: SegmentAnything, path: String) throws {
    let architecture = network.architecture
    // Labels are bytes, of which one more must be left for a palette's last colour.
    guard let size = architecture.imageSize, (1...254).contains(architecture.classes),
      architecture.family != "sam", architecture.family != "medsam"
    else {
      throw RuntimeError(
        .unsupportedModel, file: path, expected: "a model whose mask tokens are 1 to 254 classes",
        found: "one of family '\(architecture.family)' with \(architecture.classes)",
        remedy: "make one with wt adapt, and train it")
    }
    self.network = network
    imageSize = size
  }

  public func logits(_ images: Tensor, boxes: [Prompts.Box]?) -> Tensor {
    network(images, slices: images.shape[0], boxes: boxes).masks
  }
}
