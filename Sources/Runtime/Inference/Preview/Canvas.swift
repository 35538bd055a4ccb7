import Formats

/// An RGB picture that is drawn on.
struct Canvas {
  let width: Int
  let height: Int
  private var bytes: [UInt8]

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
    bytes = [UInt8](repeating: 0, count: 3 * width * height)
  }

  var image: RasterImage { RasterImage(width: width, height: height, channels: 3, bytes: bytes) }

  /// What lies outside is not drawn.
  subscript(_ x: Int, _ y: Int) -> RGBColour {
    get {
      let place = 3 * (y * width + x)
      return RGBColour(bytes[place], bytes[place + 1], bytes[place + 2])
    }
    set {
      guard (0..<width).contains(x), (0..<height).contains(y) else { return }
      let place = 3 * (y * width + x)
      bytes[place] = newValue.red
      bytes[place + 1] = newValue.green
      bytes[place + 2] = newValue.blue
    }
  }

  mutating func fill(x: Range<Int>, y: Range<Int>, _ colour: RGBColour) {
    for row in y { for column in x { self[column, row] = colour } }
  }

  mutating func write(_ text: String, x: Int, y: Int, _ colour: RGBColour) {
    for dot in BitmapFont.dots(text) { self[x + dot.x, y + dot.y] = colour }
  }
}
