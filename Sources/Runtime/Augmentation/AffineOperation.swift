/// The operations that move pixels, each of one magnitude.
enum AffineOperation: Sendable, Equatable, CaseIterable {
  /// Shears are about the centre.
  case shearX, shearY
  /// About the corner: more than one shows more of the picture.
  case scale
  /// In parts of the side.
  case translateX, translateY

  func transform(_ magnitude: Double, height: Int, width: Int) -> AffineTransform {
    let (height, width) = (Double(height), Double(width))
    return switch self {
    case .shearX: AffineTransform(x: (1, magnitude, -magnitude * width / 2), y: (0, 1, 0))
    case .shearY: AffineTransform(x: (1, 0, 0), y: (magnitude, 1, -magnitude * height / 2))
    case .scale: AffineTransform(x: (magnitude, 0, 0), y: (0, magnitude, 0))
    case .translateX: AffineTransform(x: (1, 0, magnitude * width), y: (0, 1, 0))
    case .translateY: AffineTransform(x: (1, 0, 0), y: (0, 1, magnitude * height))
    }
  }
}

extension AugmentedSample {
  /// Moves the pictures by linear interpolation, the labels to the nearest pixel.
  mutating func transform(_ operation: AffineOperation, _ magnitude: Double) {
    let transform = operation.transform(magnitude, height: height, width: width)
    let (height, width) = (height, width)
    mapPlanes { transform.interpolate($0, into: $1, height: height, width: width) }
    labels = transform.nearest(height: height, width: width)(labels)
  }
}
