extension Variable {
  /// Gaussian error linear units; changes the numbers in place where nothing is recorded or kept, so
  /// the variable is given up.
  public func gelu() -> Variable {
    let output = tape?.isTraining ?? false ? Tensor(uninitialised: shape) : value
    Kernels.gelu(value.flat, into: output.flat)
    let (input, gradient) = (value, gradient)
    return result(output) { change in
      Kernels.geluBackward(change.flat, input.flat)
      withExtendedLifetime(input) {}
      gradient?.accumulate(change)
    }
  }

  /// Normalises the last axis.
  ///
  /// - Parameters:
  ///   - gain, bias: [width]
  ///   - inPlace: whether the variable is given up, so that its numbers may be changed.
  public func layerNorm(gain: Variable, bias: Variable, epsilon: Float, inPlace: Bool = false)
    -> Variable
  {
    let output = inPlace && !isRecorded ? value : Tensor(uninitialised: shape)
    Kernels.layerNorm(
      value.matrix, gain: gain.value.matrix, bias: bias.value.matrix, epsilon: epsilon,
      into: output.matrix)
    let (input, gradient) = (value, gradient)
    return result(output, with: [gain, bias]) { change in
      let part = Tensor(uninitialised: input.shape)
      let isTrained = gain.gradient != nil || bias.gradient != nil
      let parameters =
        isTrained ? Tensor(uninitialised: [2, input.shape[input.shape.count - 1]]) : nil
      Kernels.layerNormBackward(
        change.matrix, input.matrix, gain: gain.value.matrix, epsilon: epsilon, into: part.matrix,
        parameters: parameters?.matrix)
      withExtendedLifetime((change, input)) {}
      gradient?.accumulate(part)
      if let parameters {
        gain.gradient?.accumulate(parameters[0].copied())
        bias.gradient?.accumulate(parameters[1].copied())
      }
    }
  }
}
