/// A convolution of odd kernel size over channels-last images that keeps their extents.
public struct Convolution: Sendable {
  private let kernel: Int
  /// Of shape [out, k·k·in].
  private let weight: Prepared<MatrixWeight>
  private let bias: Variable?

  /// Reads `weight` [out, in, k, k] and, if there is one, `bias`.
  public init(
    _ parameters: Parameters, _ input: Int, _ output: Int, kernel: Int, hasBias: Bool = true,
    precision: Precision = .float32
  ) throws {
    self.kernel = kernel
    let parameter = try parameters.variable("weight", [output, input, kernel, kernel])
    weight = Prepared(parameter) { [purpose = parameters.purpose] in
      let rows = $0[0].permuted([0, 2, 3, 1]).reshaped(output, kernel * kernel * input)
      return MatrixWeight(rows, precision: precision, for: purpose)
    }
    bias = hasBias ? try parameters.variable("bias", [output]) : nil
  }

  /// - Parameter x: [images, height, width, in]; the result has `out` channels.
  public func callAsFunction(_ x: Variable) -> Variable {
    x.convolution(weight.on(x.tape), bias: bias, kernel: kernel)
  }
}

/// A convolution whose kernel and stride are equal, so that it is a product over patches.
public struct PatchConvolution: Sendable {
  public let size: Int
  /// Of shape [out, size·size·in].
  private let weight: Prepared<MatrixWeight>
  private let bias: Variable

  /// Reads `weight` [out, in, size, size] and `bias`.
  public init(
    _ parameters: Parameters, _ input: Int, _ output: Int, size: Int,
    precision: Precision = .float32
  ) throws {
    self.size = size
    let parameter = try parameters.variable("weight", [output, input, size, size])
    weight = Prepared(parameter) { [purpose = parameters.purpose] in
      let rows = $0[0].permuted([0, 2, 3, 1]).reshaped(output, size * size * input)
      return MatrixWeight(rows, precision: precision, for: purpose)
    }
    bias = try parameters.variable("bias", [output])
  }

  /// - Parameter x: [images, height, width, in], extents divisible by `size`.
  public func callAsFunction(_ x: Variable) -> Variable {
    let (rows, columns) = (x.shape[1] / size, x.shape[2] / size)
    let patches = x.reshaped(x.shape[0], rows, size, columns, size * x.shape[3])
      .permuted([0, 1, 3, 2, 4])
      .reshaped(x.shape[0], rows, columns, size * size * x.shape[3])
    return patches.linear(weight.on(x.tape), bias: bias)
  }
}

/// A transposed convolution of kernel and stride 2, which doubles the extents of an image.
public struct UpConvolution: Sendable {
  /// For the upper and the lower row of each pair, [2·out, in].
  private let halves: Prepared<[MatrixWeight]>
  /// Of shape [2·out], the bias twice.
  private let bias: Prepared<Variable>

  /// Reads `weight` [in, out, 2, 2] and `bias` [out].
  public init(
    _ parameters: Parameters, _ input: Int, _ output: Int, precision: Precision = .float32
  ) throws {
    let parameter = try parameters.variable("weight", [input, output, 2, 2])
    halves = Prepared(parameter) { [purpose = parameters.purpose] weight in
      let taps = weight[0].permuted([2, 3, 1, 0])
      return (0..<2).map {
        MatrixWeight(
          taps[$0].reshaped(2 * output, input), precision: precision, for: purpose)
      }
    }
    bias = Prepared(try parameters.variable("bias", [output])) {
      $0[0].repeated(2).reshaped(2 * output)
    }
  }

  /// - Parameter x: [images, height, width, in]; the result is [images, 2·height, 2·width, out].
  public func callAsFunction(_ x: Variable) -> Variable {
    x.upConvolution(halves: halves.on(x.tape), bias: bias.on(x.tape))
  }
}

/// A convolution over the slices of a stack, kernel 3 × 1 × 1.
public struct DepthConvolution: Sendable {
  /// For the slice before, the slice itself and the one after.
  private let taps: Prepared<[MatrixWeight]>
  private let bias: Variable

  /// Reads `weight` [out, in, 3, 1, 1] and `bias`.
  public init(
    _ parameters: Parameters, _ input: Int, _ output: Int, precision: Precision = .float32
  ) throws {
    let parameter = try parameters.variable("weight", [output, input, 3, 1, 1])
    taps = Prepared(parameter) { [purpose = parameters.purpose] weight in
      let taps = weight[0].permuted([2, 0, 1, 3, 4])
      return (0..<3).map {
        MatrixWeight(taps[$0].reshaped(output, input), precision: precision, for: purpose)
      }
    }
    bias = try parameters.variable("bias", [output])
  }

  /// - Parameter x: [stacks·slices, tokens, in]; the result has `out` channels.
  public func callAsFunction(_ x: Variable, slices: Int, activation: Activation = .none)
    -> Variable
  {
    x.depthConvolution(
      taps: taps.on(x.tape), bias: bias, slices: slices, activation: activation)
  }
}
