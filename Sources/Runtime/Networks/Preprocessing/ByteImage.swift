/// An 8-bit image, channels last, row by row.
public struct ByteImage: Sendable, Equatable {
  public var width: Int
  public var height: Int
  public var channels: Int
  public var bytes: [UInt8]

  public init(width: Int, height: Int, channels: Int, bytes: [UInt8]) {
    precondition(bytes.count == width * height * channels)
    self.width = width
    self.height = height
    self.channels = channels
    self.bytes = bytes
  }

  /// The same image at another size, with every source pixel counted (antialiased bilinear).
  ///
  /// SAM's own preprocessing resizes with Pillow, whose arithmetic this repeats to the last bit:
  /// first across, then down (since version 13 it sometimes begins with the other), in whole numbers of 22 fractional bits, each pass rounded to bytes.
  /// Source: Pillow's src/libImaging/Resample.c, described in its documentation of filters.
  public func resized(width newWidth: Int, height newHeight: Int) -> ByteImage {
    var image = self
    if newWidth != width { image = image.resizedAcross(newWidth) }
    if newHeight != height { image = image.resizedDown(newHeight) }
    return image
  }

  private func resizedAcross(_ newWidth: Int) -> ByteImage {
    let windows = FilterWindow.all(from: width, to: newWidth)
    var result = [UInt8](repeating: 0, count: newWidth * height * channels)
    for y in 0..<height {
      for (x, window) in windows.enumerated() {
        for channel in 0..<channels {
          result[(y * newWidth + x) * channels + channel] = window.sum {
            bytes[(y * width + $0) * channels + channel]
          }
        }
      }
    }
    return ByteImage(width: newWidth, height: height, channels: channels, bytes: result)
  }

  private func resizedDown(_ newHeight: Int) -> ByteImage {
    let windows = FilterWindow.all(from: height, to: newHeight)
    var result = [UInt8](repeating: 0, count: width * newHeight * channels)
    let row = width * channels
    for (y, window) in windows.enumerated() {
      for place in 0..<row {
        result[y * row + place] = window.sum { bytes[$0 * row + place] }
      }
    }
    return ByteImage(width: width, height: newHeight, channels: channels, bytes: result)
  }
}

/// The source pixels that one output pixel is made of, with their weights.
private struct FilterWindow {
  static let fractionBits = 22

  var start: Int
  /// In units of 2⁻²².
  var weights: [Int]

  func sum(_ byte: (Int) -> UInt8) -> UInt8 {
    var total = 1 << (Self.fractionBits - 1)
    for (index, weight) in weights.enumerated() { total += weight * Int(byte(start + index)) }
    return UInt8(clamping: total >> Self.fractionBits)
  }

  /// Triangles as wide as an output pixel, or as a source pixel when enlarging.
  static func all(from count: Int, to newCount: Int) -> [FilterWindow] {
    let scale = Double(count) / Double(newCount)
    let reach = max(scale, 1)
    return (0..<newCount).map { place in
      let center = (Double(place) + 0.5) * scale
      let first = max(0, Int(center - reach + 0.5))
      let last = min(count, Int(center + reach + 0.5))
      let weights = (first..<last).map { source in
        max(0, 1 - abs((Double(source) - center + 0.5) / reach))
      }
      let sum = weights.reduce(0, +)
      return FilterWindow(
        start: first,
        weights: weights.map {
          Int(($0 / sum * Double(1 << fractionBits)).rounded(.toNearestOrAwayFromZero))
        })
    }
  }
}
