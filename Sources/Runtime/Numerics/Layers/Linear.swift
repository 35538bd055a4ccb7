/// What numbers a model calculates with where it multiplies matrices.
public enum Precision: String, Sendable, CaseIterable {
  case float32 = "f32"
  /// Inputs and weights of matrix products rounded to bfloat16; sums and all else stay float.
  case brainFloat16 = "bf16"
}

/// y = x·Wᵀ + b, PyTorch's `nn.Linear`.
public struct Linear: Sendable {
  /// Of shape [out, in].
  private let weight: Prepared<MatrixWeight>
  /// Of shape [out].
  public let bias: Variable?

  /// - Parameter weight: of shape [out, in], or one that `reshaped` makes it.
  public init(
    weight: Variable, bias: Variable?, precision: Precision = .float32,
    for purpose: MatrixWeight.Purpose = .training
  ) {
    self.weight = Prepared(weight) { MatrixWeight($0[0], precision: precision, for: purpose) }
    self.bias = bias
  }

  /// Reads `weight` and `bias`.
  ///
  /// - Parameters:
  ///   - shape: of the weight, when it is not [out, in], such as a 1 × 1 convolution's.
  ///   - scale: what the weight is multiplied by before it is used.
  public init(
    _ parameters: Parameters, _ input: Int, _ output: Int, hasBias: Bool = true,
    shape: [Int]? = nil, scale: Float = 1, precision: Precision = .float32
  ) throws {
    let parameter = try parameters.variable("weight", shape ?? [output, input])
    weight = Prepared(parameter) { [purpose = parameters.purpose] in
      MatrixWeight(
        $0[0].reshaped(output, input).scaled(by: scale), precision: precision, for: purpose)
    }
    bias = hasBias ? try parameters.variable("bias", [output]) : nil
  }

  /// - Parameters:
  ///   - x: [..., in]; the result is [..., out].
  ///   - keepsSum: whether what goes into the activation is kept where a calculation is done twice.
  public func callAsFunction(
    _ x: Variable, activation: Activation = .none, keepsSum: Bool = false
  ) -> Variable {
    x.linear(weight.on(x.tape), bias: bias, activation: activation, keepsSum: keepsSum)
  }

  /// The same added to `base`, which is given up.
  public func callAsFunction(_ x: Variable, addedTo base: Variable) -> Variable {
    x.linear(weight.on(x.tape), bias: bias, addedTo: base)
  }

  /// The same without the bias added to some columns of what another layer gave, in place.
  public func callAsFunction(_ x: Variable, addedTo base: Variable, columns: Range<Int>)
    -> Variable
  {
    x.linear(weight.on(x.tape), addedTo: base, columns: columns)
  }

  /// Adds what x, weight and bias have in the gradient of a result that nobody made, of the activated x.
  func differentiate(_ change: Tensor, at x: Variable, after activation: Activation) {
    x.differentiate(change, weight.on(x.tape), bias, after: activation)
  }
}
