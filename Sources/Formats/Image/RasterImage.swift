/// A picture in memory: samples row by row, channels last.
public struct RasterImage: Sendable, Equatable {
  public var width: Int
  public var height: Int
  /// Samples of a pixel: grey, grey and opacity, RGB, RGB and opacity; or an index.
  public var channels: Int
  /// 8 or 16.
  public var bitDepth: Int
  /// Red, green and blue of every index; empty for a picture without a palette.
  public var palette: [RGBColour]
  /// Samples of one byte, or of two, little-endian.
  public var bytes: [UInt8]

  public init(
    width: Int, height: Int, channels: Int, bitDepth: Int = 8, palette: [RGBColour] = [],
    bytes: [UInt8]
  ) {
    precondition(bytes.count == width * height * channels * bitDepth / 8)
    self.width = width
    self.height = height
    self.channels = channels
    self.bitDepth = bitDepth
    self.palette = palette
    self.bytes = bytes
  }

  /// A sample, as an index or a brightness.
  public func sample(_ pixel: Int, _ channel: Int) -> Int {
    let place = pixel * channels + channel
    return bitDepth == 8
      ? Int(bytes[place]) : Int(bytes[2 * place]) | Int(bytes[2 * place + 1]) << 8
  }

  /// The colours of all pixels, from 0 to 1, grey repeated, opacity left out.
  ///
  /// - Returns: of shape [3, height, width].
  public func colours() -> [Float] {
    let pixels = width * height
    let most = Float(bitDepth == 8 ? 255 : 65_535)
    var result = [Float](repeating: 0, count: 3 * pixels)
    for pixel in 0..<pixels {
      for channel in 0..<3 {
        let value: Float
        if palette.isEmpty {
          value = Float(sample(pixel, channels >= 3 ? channel : 0)) / most
        } else {
          value = Float(palette[sample(pixel, 0)][channel]) / 255
        }
        result[channel * pixels + pixel] = value
      }
    }
    return result
  }
}

/// A colour of three bytes.
public struct RGBColour: Sendable, Hashable {
  public var red: UInt8
  public var green: UInt8
  public var blue: UInt8

  public init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  public subscript(_ channel: Int) -> UInt8 { channel == 0 ? red : channel == 1 ? green : blue }
}
