import Numerics

/// How SAM brings an image to its own size and its answers back to the image's.
///
/// Source: segment_anything/utils/transforms.py and modeling/sam.py
public struct SAMPreprocessing: Sendable {
  /// Of ImageNet, per channel, for values from 0 to 255.
  static let mean: [Float] = [123.675, 116.28, 103.53]
  static let deviation: [Float] = [58.395, 57.12, 57.375]

  /// Pixels a side of the model's input.
  public let modelSize: Int
  public let width: Int
  public let height: Int
  /// The image's size once its long side is the model's.
  public let scaledWidth: Int
  public let scaledHeight: Int

  /// - Parameters:
  ///   - width, height: of the image, in pixels.
  public init(modelSize: Int, width: Int, height: Int) {
    self.modelSize = modelSize
    self.width = width
    self.height = height
    let scale = Double(modelSize) / Double(max(width, height))
    // A sliver's short side would round to nothing.
    scaledWidth = max(1, Int(Double(width) * scale + 0.5))
    scaledHeight = max(1, Int(Double(height) * scale + 0.5))
  }

  /// The model's input [1, 3, size, size]: resized, normalised, with zeros right and below.
  public func input(_ image: ByteImage) -> Tensor {
    let scaled = image.resized(width: scaledWidth, height: scaledHeight)
    let result = Tensor(repeating: 0, shape: [1, 3, modelSize, modelSize])
    let pixels = result.pointer
    for channel in 0..<3 {
      for y in 0..<scaledHeight {
        for x in 0..<scaledWidth {
          let value = Float(scaled.bytes[(y * scaledWidth + x) * 3 + channel])
          pixels[(channel * modelSize + y) * modelSize + x] =
            (value - Self.mean[channel]) / Self.deviation[channel]
        }
      }
    }
    return withExtendedLifetime(result) { result }
  }

  /// A place of the image in the model's input.
  public func scaled(x: Float, y: Float) -> (x: Float, y: Float) {
    // In double precision, as numpy has it, and rounded once.
    (
      Float(Double(x) * (Double(scaledWidth) / Double(width))),
      Float(Double(y) * (Double(scaledHeight) / Double(height)))
    )
  }

  /// Masks at the image's own size: enlarged, cut, and brought to it.
  ///
  /// - Parameter masks: logits [prompts, masks, height, width] of the decoder's resolution.
  public func restored(_ masks: Tensor) -> Tensor {
    let planes = masks.reshaped(masks.shape[0] * masks.shape[1], masks.shape[2], masks.shape[3], 1)
    let full = planes.resized(height: modelSize, width: modelSize)
    let cut = full.narrowed(1, 0..<scaledHeight).narrowed(2, 0..<scaledWidth).packed()
    return cut.resized(height: height, width: width)
      .reshaped(masks.shape[0], masks.shape[1], height, width)
  }
}
