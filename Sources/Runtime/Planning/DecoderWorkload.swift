import Formats
import Foundation
import Surgery

/// The arithmetic of the mask decoder, whose weights each meet another number of rows.
///
/// It is counted in floating-point numbers, which are exact as far as anybody calculates and beyond it do not
/// overflow.
struct DecoderWorkload {
  private let images: Double
  /// Of one image at the encoder's resolution.
  private let pixels: Double
  /// The IoU token and the mask tokens.
  private let tokens: Double
  private let maskTokens: Double
  private(set) var operations = 0.0

  /// - Parameter plan: the whole model.
  init(_ plan: Blueprint, _ model: Architecture, images: Int, grid: Int) {
    self.images = Double(images)
    pixels = Double(grid) * Double(grid)
    maskTokens = Double(model.decoder.maskTokens)
    tokens = 1 + maskTokens
    let own = plan.entries.map(\.info).filter {
      let name = $0.name.text
      return name.hasPrefix("mask_decoder.") && name.hasSuffix(".weight") && $0.shape.count > 1
        && !name.contains("_lora_")
    }
    for weight in own { operations += 2 * rows(weight.name.text) * Double(weight.elementCount) }
    for weight in own where weight.name.text.hasSuffix(".q_proj.weight") {
      operations += attention(weight)
    }
    operations += masks(own)
  }

  /// How many rows a weight meets; the tokens' embeddings are no products.
  private func rows(_ name: String) -> Double {
    if name.contains(".transformer.") { return images * (isImageSide(name) ? pixels : tokens) }
    if name.contains(".output_hypernetworks_mlps.") || name.contains(".iou_prediction_head.") {
      return images
    }
    if name.contains(".skips."), let step = Self.number(after: ".skips.", in: name) {
      return images * pixels * (name.contains(".proj.") ? 1 : Self.area(step))
    }
    if let place = Self.number(after: ".output_upscaling.", in: name) {
      // Of every three layers one doubles the extents: convolution, norm, activation.
      return images * pixels * Self.area(place / 3)
    }
    return 0
  }

  /// Whether a projection is taken of the image's pixels.
  private func isImageSide(_ name: String) -> Bool {
    let ofQueries = name.contains(".q_proj.") || name.contains(".out_proj.")
    if name.contains("token_to_image") { return !ofQueries }
    return name.contains("image_to_token") && ofQueries
  }

  /// Scores and weighted sums of the attention that a query projection begins.
  private func attention(_ projection: TensorInfo) -> Double {
    let name = projection.name.text
    let isBetween = name.contains("token_to_image") || name.contains("image_to_token")
    return 4 * images * tokens * (isBetween ? pixels : tokens) * Double(projection.shape[0])
  }

  /// The product of each mask token's weights with the enlarged image.
  private func masks(_ weights: [TensorInfo]) -> Double {
    let convolutions = weights.filter {
      $0.name.text.contains(".output_upscaling.") && $0.shape.count == 4
    }
    let channels = Double(convolutions.last?.shape[1] ?? 0)
    return 2 * images * maskTokens * channels * pixels * Self.area(convolutions.count)
  }

  /// How many pixels come of one by doubling the extents so often.
  private static func area(_ doublings: Int) -> Double { exp2(2 * Double(doublings)) }

  private static func number(after marker: String, in name: String) -> Int? {
    let parts = name.split(separator: ".").map(String.init)
    let key = marker.split(separator: ".").map(String.init)
    guard let place = parts.firstIndex(of: key[0]), place + 1 < parts.count else { return nil }
    return Int(parts[place + 1])
  }
}
