import Formats
import Surgery

/// The arithmetic of the mask decoder, whose weights each meet another number of rows.
struct DecoderWorkload {
  private let images: Int
  /// Of one image at the encoder's resolution.
  private let pixels: Int
  /// The IoU token and the mask tokens.
  private let tokens: Int
  private let maskTokens: Int
  private(set) var operations = 0

  /// - Parameter weights: of the whole model.
  init(_ weights: [TensorInfo], _ model: Architecture, images: Int, grid: Int) {
    self.images = images
    pixels = grid * grid
    maskTokens = model.decoder.maskTokens
    tokens = 1 + maskTokens
    let own = weights.filter {
      $0.name.text.hasPrefix("mask_decoder.") && !$0.name.text.contains("_lora_")
    }
    for weight in own { operations += 2 * rows(weight.name.text) * weight.elementCount }
    for weight in own where weight.name.text.hasSuffix(".q_proj.weight") {
      operations += attention(weight)
    }
    operations += masks(own)
  }

  /// How many rows a weight meets; the tokens' embeddings are no products.
  private func rows(_ name: String) -> Int {
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
  private func attention(_ projection: TensorInfo) -> Int {
    let name = projection.name.text
    let isBetween = name.contains("token_to_image") || name.contains("image_to_token")
    return 4 * images * tokens * (isBetween ? pixels : tokens) * projection.shape[0]
  }

  /// The product of each mask token's weights with the enlarged image.
  private func masks(_ weights: [TensorInfo]) -> Int {
    let convolutions = weights.filter {
      $0.name.text.contains(".output_upscaling.") && $0.shape.count == 4
    }
    let channels = convolutions.last?.shape[1] ?? 0
    return 2 * images * maskTokens * channels * pixels * Self.area(convolutions.count)
  }

  /// How many pixels come of one by doubling the extents so often.
  private static func area(_ doublings: Int) -> Int { 1 << (2 * doublings) }

  private static func number(after marker: String, in name: String) -> Int? {
    let parts = name.split(separator: ".").map(String.init)
    let key = marker.split(separator: ".").map(String.init)
    guard let place = parts.firstIndex(of: key[0]), place + 1 < parts.count else { return nil }
    return Int(parts[place + 1])
  }
}
