import Numerics

/// MA-SAM's 3D adapter: x + up(gelu(conv(down(norm(x))))), the convolution over slices.
///
/// Source: Chen et al., "MA-SAM" (2023), equation 3.
struct SliceAdapter: Sendable {
  private let norm: LayerNorm
  private let down: Linear
  private let convolution: DepthConvolution
  private let up: Linear

  /// - Parameter suffix: of the parameters' names: none before attention, `_2` after it.
  init(
    _ parameters: Parameters, suffix: String, width: Int, channels: Int, precision: Precision
  ) throws {
    norm = try LayerNorm(parameters["adapter_norm" + suffix], width, epsilon: 1e-6)
    down = try Linear(
      parameters["adapter_linear_down" + suffix], width, channels, hasBias: false,
      precision: precision)
    convolution = try DepthConvolution(
      parameters["adapter_conv" + suffix], channels, channels, precision: precision)
    up = try Linear(
      parameters["adapter_linear_up" + suffix], channels, width, hasBias: false,
      precision: precision)
  }

  /// - Parameter x: [stacks·slices, grid, grid, width], which is given up.
  func callAsFunction(_ x: Variable, slices: Int) -> Variable {
    let shape = x.shape
    let tokens = x.reshaped(shape[0], shape[1] * shape[2], shape[3])
    let mixed = convolution(down(norm(tokens)), slices: slices, activation: .gelu)
    return up(mixed, addedTo: tokens).reshaped(to: shape)
  }
}
