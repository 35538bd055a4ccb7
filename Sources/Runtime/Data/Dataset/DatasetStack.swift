/// Slices that a model sees at once, with their labels.
public struct DatasetStack: Sendable, Equatable {
  public var slices: Int
  public var height: Int
  public var width: Int
  /// Of shape [slices, 3, height, width], from 0 to 1; grey is repeated.
  public var images: [Float]
  /// Of shape [slices, height, width].
  public var labels: [UInt8]

  /// - Parameters:
  ///   - chosen: the rows of what was read that make up the stack, which may repeat.
  ///   - images: [rows, C, H, W]; labels: [rows, H, W].
  init(
    _ item: DatasetCase, _ chosen: [Int], _ images: [Float], _ labels: [UInt8]
  ) {
    slices = chosen.count
    (height, width) = (item.height, item.width)
    let plane = height * width
    let images = item.normalisation == .stack ? Self.normalised(images) : images
    let channels = item.channels
    self.images = []
    self.images.reserveCapacity(chosen.count * 3 * plane)
    self.labels = []
    self.labels.reserveCapacity(chosen.count * plane)
    for row in chosen {
      for channel in 0..<3 {
        let start = (row * channels + (channels == 3 ? channel : 0)) * plane
        self.images += images[start..<start + plane]
      }
      self.labels += labels[row * plane..<(row + 1) * plane]
    }
  }

  /// From the least number at 0 to the largest at 1; constants become zero.
  public static func normalised(_ numbers: [Float]) -> [Float] {
    guard let least = numbers.min(), let most = numbers.max(), most > least else {
      return [Float](repeating: 0, count: numbers.count)
    }
    let range = most - least
    return numbers.map { ($0 - least) / range }
  }
}
