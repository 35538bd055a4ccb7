/// Normalisation over the last axis; over channels-last images also SAM's `LayerNorm2d`.
public struct LayerNorm: Sendable {
  public let gain: Tensor
  public let bias: Tensor
  public let epsilon: Float

  /// Reads `weight` and `bias`.
  public init(_ parameters: Parameters, _ width: Int, epsilon: Float) throws {
    gain = try parameters.tensor("weight", [width])
    bias = try parameters.tensor("bias", [width])
    self.epsilon = epsilon
  }

  /// - Parameter x: [..., width], packed.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let result = Tensor(uninitialised: x.shape)
    run(x, into: result)
    return result
  }

  /// Normalises in place, and applies GELU, a tensor that nobody else is looking at.
  public func normaliseAndActivate(_ x: Tensor) {
    run(x, into: x)
    Kernels.gelu(x.matrix, into: x.matrix)
    withExtendedLifetime(x) {}
  }

  private func run(_ x: Tensor, into result: Tensor) {
    Kernels.layerNorm(
      x.matrix, gain: gain.matrix, bias: bias.matrix, epsilon: epsilon, into: result.matrix)
    withExtendedLifetime((self, x, result)) {}
  }
}
