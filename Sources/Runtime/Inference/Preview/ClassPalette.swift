import Formats

/// Colours of classes, as different as they can be; the background is black.
public enum ClassPalette {
  /// - Parameter classes: of the foreground.
  public static func colours(_ classes: Int) -> [RGBColour] {
    [RGBColour(0, 0, 0)] + (0..<classes).map(colour)
  }

  /// Hues a golden ratio apart never come close to one another again; brightness alternates.
  private static func colour(_ index: Int) -> RGBColour {
    let hue = (Double(index) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1)
    let value = index % 3 == 2 ? 0.7 : 1.0
    let saturation = index % 2 == 1 ? 0.65 : 0.95
    let channel = { (shift: Double) -> UInt8 in
      let place = (shift + hue * 6).truncatingRemainder(dividingBy: 6)
      let part = max(0, min(place, 4 - place, 1))
      return UInt8((255 * value * (1 - saturation * part)).rounded())
    }
    return RGBColour(channel(5), channel(3), channel(1))
  }
}
