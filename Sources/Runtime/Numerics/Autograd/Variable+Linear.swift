extension Variable {
  /// activation(x·Wᵀ + b) over the last axis.
  ///
  /// - Parameter keepsSum: whether what goes into the activation is kept where a calculation is done
  ///   twice, so that the second time takes no product.
  public func linear(
    _ weight: MatrixWeight, bias: Variable? = nil, activation: Activation = .none,
    keepsSum: Bool = false
  ) -> Variable {
    let keeps = keepsSum && tape?.isTraining ?? false
    // GELU's derivative needs what went into it.
    let isSplit = activation == .gelu && (isRecorded || keeps)
    let make = { () -> Tensor in
      let output = Tensor(uninitialised: shape.dropLast() + [weight.outputs])
      run(weight, bias, into: output, activation: isSplit ? .none : activation)
      return output
    }
    let output = keeps ? tape?.keeping { [make()] }.first ?? make() : make()
    let (input, gradient) = (value, gradient)
    let sum = result(output, with: [weight.variable, bias]) { change in
      if activation == .relu { Kernels.reluBackward(change.matrix, output: output.matrix) }
      Self.linearBackward(change, input, weight, bias, gradient)
    }
    return isSplit ? sum.gelu() : sum
  }

  /// base + x·Wᵀ + b; the base is given up, as its numbers may be changed.
  public func linear(_ weight: MatrixWeight, bias: Variable? = nil, addedTo base: Variable)
    -> Variable
  {
    let output = base.isRecorded ? base.value.copied() : base.value
    run(weight, bias, into: output, accumulates: true)
    let (input, gradient) = (value, gradient)
    return base.result(output, with: [self, weight.variable, bias]) { change in
      Self.linearBackward(change, input, weight, bias, gradient)
      base.gradient?.accumulate(change)
    }
  }

  /// The same added to some of the columns of what another product gave, in place.
  ///
  /// - Parameter base: the result of `linear` without an activation, which nobody looks at any more.
  public func linear(_ weight: MatrixWeight, addedTo base: Variable, columns: Range<Int>)
    -> Variable
  {
    let axis = base.shape.count - 1
    run(weight, nil, into: base.value.narrowed(axis, columns), accumulates: true)
    let (input, gradient) = (value, gradient)
    return base.result(base.value, with: [self, weight.variable]) { change in
      Self.linearBackward(change.narrowed(axis, columns), input, weight, nil, gradient)
      base.gradient?.accumulate(change)
    }
  }

  private func run(
    _ weight: MatrixWeight, _ bias: Variable?, into output: Tensor, accumulates: Bool = false,
    activation: Activation = .none
  ) {
    Kernels.linear(
      value.matrix, weight.view, bias: bias.map { UnsafePointer($0.value.pointer) },
      into: output.matrix, accumulates: accumulates, activation: activation)
    withExtendedLifetime((self, weight, bias, output)) {}
  }

  /// Adds what this, weight and bias have in the gradient of activation(this)·Wᵀ + b.
  func differentiate(
    _ change: Tensor, _ weight: MatrixWeight, _ bias: Variable?, after activation: Activation
  ) {
    precondition(activation != .relu)
    guard activation == .gelu else {
      return Self.linearBackward(change, value, weight, bias, gradient)
    }
    // Only a weight's gradient takes the activated numbers themselves.
    let isTrained = weight.gradient != nil
    let input = isTrained ? Variable(value.copied()).gelu().value : value
    let inner = gradient.map { Gradient($0.shape) }
    Self.linearBackward(change, input, weight, bias, inner)
    guard let part = inner?.take() else { return }
    Kernels.geluBackward(part.flat, value.flat)
    gradient?.accumulate(part)
  }

  private static func linearBackward(
    _ change: Tensor, _ input: Tensor, _ weight: MatrixWeight, _ bias: Variable?,
    _ gradient: Gradient?
  ) {
    weight.accumulate(change.matrix, input.matrix)
    if let target = bias?.gradient {
      let sums = Tensor(uninitialised: target.shape)
      Kernels.columnSums(change.matrix, into: sums.pointer)
      target.accumulate(sums)
    }
    if let gradient {
      let part = Tensor(uninitialised: input.shape)
      Kernels.inputGradient(change.matrix, weight.view, into: part.matrix)
      gradient.accumulate(part)
    }
    withExtendedLifetime((change, input, weight)) {}
  }
}
