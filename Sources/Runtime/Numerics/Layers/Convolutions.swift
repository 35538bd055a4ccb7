/// A convolution of odd kernel size over channels-last images that keeps their extents.
public struct Convolution: Sendable {
  private let kernel: Int
  /// Of shape [out, k·k·in].
  private let linear: Linear

  /// Reads `weight` [out, in, k, k] and, if there is one, `bias`.
  public init(
    _ parameters: Parameters, _ input: Int, _ output: Int, kernel: Int, hasBias: Bool = true,
    precision: Precision = .float32
  ) throws {
    self.kernel = kernel
    let weight = try parameters.tensor("weight", [output, input, kernel, kernel])
    linear = Linear(
      weight: weight.permuted([0, 2, 3, 1]).reshaped(output, kernel * kernel * input),
      bias: hasBias ? try parameters.tensor("bias", [output]) : nil, precision: precision)
  }

  /// - Parameter x: [images, height, width, in]; the result has `out` channels.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let result = Tensor(uninitialised: x.shape.dropLast() + [linear.weight.shape[0]])
    Kernels.convolution(
      x.matrix, linear.view, bias: linear.bias.map { UnsafePointer($0.pointer) },
      height: x.shape[1], width: x.shape[2], kernel: kernel, into: result.matrix)
    withExtendedLifetime((self, x, result)) {}
    return result
  }
}

/// A convolution whose kernel and stride are equal, so that it is a product over patches.
public struct PatchConvolution: Sendable {
  public let size: Int
  /// Of shape [out, size·size·in].
  private let linear: Linear

  /// Reads `weight` [out, in, size, size] and `bias`.
  public init(
    _ parameters: Parameters, _ input: Int, _ output: Int, size: Int,
    precision: Precision = .float32
  ) throws {
    self.size = size
    let weight = try parameters.tensor("weight", [output, input, size, size])
    linear = Linear(
      weight: weight.permuted([0, 2, 3, 1]).reshaped(output, size * size * input),
      bias: try parameters.tensor("bias", [output]), precision: precision)
  }

  /// - Parameter x: [images, height, width, in], extents divisible by `size`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let (rows, columns) = (x.shape[1] / size, x.shape[2] / size)
    let patches = x.reshaped(x.shape[0], rows, size, columns, size * x.shape[3])
      .permuted([0, 1, 3, 2, 4])
    return linear(patches.reshaped(x.shape[0], rows, columns, size * size * x.shape[3]))
  }
}

/// A transposed convolution of kernel and stride 2, which doubles the extents of an image.
public struct UpConvolution: Sendable {
  /// For the upper and the lower row of each pair, [2·out, in].
  private let halves: [Linear]
  /// Of shape [2·out], the bias twice.
  private let bias: Tensor
  private let output: Int

  /// Reads `weight` [in, out, 2, 2] and `bias` [out].
  public init(
    _ parameters: Parameters, _ input: Int, _ output: Int, precision: Precision = .float32
  ) throws {
    self.output = output
    let weight = try parameters.tensor("weight", [input, output, 2, 2]).permuted([2, 3, 1, 0])
    halves = (0..<2).map {
      Linear(weight: weight[$0].reshaped(2 * output, input), bias: nil, precision: precision)
    }
    let once = try parameters.tensor("bias", [output]).values
    bias = Tensor(once + once, shape: [2 * output])
  }

  /// - Parameter x: [images, height, width, in]; the result is [images, 2·height, 2·width, out].
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let (height, width) = (x.shape[1], x.shape[2])
    let result = Tensor(uninitialised: [x.shape[0], 2 * height, 2 * width, output])
    Kernels.transposedConvolution(
      x.matrix, halves: halves.map(\.view), bias: bias.matrix, height: height, width: width,
      into: result.matrix)
    withExtendedLifetime((self, x, result)) {}
    return result
  }
}

/// A convolution over the slices of a stack, kernel 3 × 1 × 1.
public struct DepthConvolution: Sendable {
  /// For the slice before, the slice itself and the one after.
  private let taps: [Linear]
  private let bias: Tensor
  private let output: Int

  /// Reads `weight` [out, in, 3, 1, 1] and `bias`.
  public init(
    _ parameters: Parameters, _ input: Int, _ output: Int, precision: Precision = .float32
  ) throws {
    self.output = output
    let weight = try parameters.tensor("weight", [output, input, 3, 1, 1])
      .permuted([2, 0, 1, 3, 4])
    taps = (0..<3).map {
      Linear(weight: weight[$0].reshaped(output, input), bias: nil, precision: precision)
    }
    bias = try parameters.tensor("bias", [output])
  }

  /// - Parameter x: [stacks·slices, tokens, in]; the result has `out` channels.
  public func callAsFunction(_ x: Tensor, slices: Int, activation: Activation = .none) -> Tensor {
    let result = Tensor(uninitialised: [x.shape[0], x.shape[1], output])
    Kernels.depthConvolution(
      x.matrix, taps: taps.map(\.view), bias: bias.matrix, slices: slices, tokens: x.shape[1],
      into: result.matrix, activation: activation)
    withExtendedLifetime((self, x, result)) {}
    return result
  }
}
