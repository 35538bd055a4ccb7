import Support

/// One change of a stack, with everything that was drawn for it.
enum AugmentationStep: Sendable, Equatable {
  /// Turns anticlockwise by so many right angles, then flips rows (axis 0) or columns (axis 1).
  case turnAndFlip(quarters: Int, axis: Int)
  case rotation(degrees: Int)
  case gamma(Double)
  case erasure(Erasure)
  case geometric(AffineOperation, Double)
  case posterise(bits: Int)
  case contrast(Double)
  case brightness(Double)
  case sharpness(Double)
  case identity

  /// Changes the stack; `randomness` fills what is erased.
  func apply(to sample: inout AugmentedSample, randomness: RandomStream) {
    switch self {
    case .turnAndFlip(let quarters, let axis): sample.turnAndFlip(quarters: quarters, axis: axis)
    case .rotation(let degrees): sample.rotate(degrees: degrees)
    case .gamma(let gamma): sample.applyGamma(gamma)
    case .erasure(let erasure): sample.erase(erasure, randomness)
    case .geometric(let operation, let magnitude): sample.transform(operation, magnitude)
    case .posterise(let bits): sample.posterise(bits: bits)
    case .contrast(let factor): sample.changeContrast(factor)
    case .brightness(let factor): sample.changeBrightness(factor)
    case .sharpness(let factor): sample.changeSharpness(factor)
    case .identity: break
    }
  }
}
