/// Normalisation over the last axis; over channels-last images also SAM's `LayerNorm2d`.
public struct LayerNorm: Sendable {
  public let gain: Variable
  public let bias: Variable
  public let epsilon: Float

  /// Reads `weight` and `bias`.
  public init(_ parameters: Parameters, _ width: Int, epsilon: Float) throws {
    gain = try parameters.variable("weight", [width])
    bias = try parameters.variable("bias", [width])
    self.epsilon = epsilon
  }

  /// - Parameter x: [..., width], packed.
  public func callAsFunction(_ x: Variable) -> Variable {
    x.layerNorm(gain: gain, bias: bias, epsilon: epsilon)
  }

  /// GELU of the normalised numbers, in the place of `x`, which is given up.
  public func normaliseAndActivate(_ x: Variable) -> Variable {
    x.layerNorm(gain: gain, bias: bias, epsilon: epsilon, inPlace: true).gelu()
  }
}
