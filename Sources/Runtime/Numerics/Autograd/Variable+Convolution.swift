extension Variable {
  /// A convolution over the slices of each stack, kernel 3 × 1 × 1.
  ///
  /// - Parameters:
  ///   - taps: for the slice before, the slice itself and the one after, [out, in] each.
  ///   - bias: [out]
  /// - Returns: for [stacks·slices, tokens, in], [stacks·slices, tokens, out].
  public func depthConvolution(
    taps: [MatrixWeight], bias: Variable, slices: Int, activation: Activation = .none
  ) -> Variable {
    precondition(activation != .relu)
    let isTrained =
      gradient != nil || bias.gradient != nil
      || taps.contains { $0.gradient != nil }
    // GELU's derivative needs what went into it, which is half of the work to make again.
    let keepingTape = isTrained ? tape.flatMap { $0.isTraining ? $0 : nil } : nil
    let make = { (activation: Activation) in
      let output = Tensor(uninitialised: [shape[0], shape[1], taps[0].outputs])
      Kernels.depthConvolution(
        value.matrix, taps: taps.map(\.view), bias: bias.value.matrix, slices: slices,
        tokens: shape[1], into: output.matrix, activation: activation)
      withExtendedLifetime((self, taps, bias)) {}
      return output
    }
    let output = keepingTape?.keeping { [make(.none)] }[0] ?? make(activation)
    let (input, gradient) = (value, gradient)
    let sum = result(output, with: taps.map(\.variable) + [bias]) { change in
      Self.depthTapGradients(change, input, taps, slices: slices)
      if let target = bias.gradient {
        let sums = Tensor(uninitialised: target.shape)
        Kernels.columnSums(change.matrix, into: sums.pointer)
        target.accumulate(sums)
      }
      if let gradient {
        let part = Tensor(uninitialised: input.shape)
        let zero = Tensor(repeating: 0, shape: [input.shape[2]])
        // What a slice gives to the next comes back from it: the taps change places.
        Kernels.depthConvolution(
          change.matrix, taps: taps.reversed().map(\.view.transposed), bias: zero.matrix,
          slices: slices, tokens: input.shape[1], into: part.matrix)
        withExtendedLifetime(zero) {}
        gradient.accumulate(part)
      }
      withExtendedLifetime((change, input, taps)) {}
    }
    return keepingTape != nil && activation == .gelu ? sum.gelu() : sum
  }

  private static func depthTapGradients(
    _ change: Tensor, _ input: Tensor, _ taps: [MatrixWeight], slices: Int
  ) {
    let tokens = input.shape[1]
    for (tap, weight) in taps.enumerated() {
      guard let target = weight.gradient else { continue }
      let part = Tensor(repeating: 0, shape: target.shape)
      let step = tap - 1
      let count = (slices - abs(step)) * tokens
      for stack in 0..<input.shape[0] / slices where count > 0 {
        let above = (stack * slices + max(0, -step)) * tokens
        let below = (stack * slices + max(0, step)) * tokens
        Kernels.weightGradient(
          change.matrix.rows(above..<above + count), input.matrix.rows(below..<below + count),
          into: part.matrix, accumulates: true)
      }
      target.accumulate(part)
    }
  }

  /// A convolution of odd kernel size over [images, height, width, in] that keeps the extents.
  ///
  /// - Parameter weight: [out, k·k·in]
  public func convolution(_ weight: MatrixWeight, bias: Variable?, kernel: Int) -> Variable {
    let output = Tensor(uninitialised: shape.dropLast() + [weight.outputs])
    Kernels.convolution(
      value.matrix, weight.view, bias: bias.map { UnsafePointer($0.value.pointer) },
      height: shape[1], width: shape[2], kernel: kernel, into: output.matrix)
    withExtendedLifetime((self, weight, bias)) {}
    let (input, gradient) = (value, gradient)
    return result(output, with: [weight.variable, bias]) { change in
      if let target = weight.gradient {
        let part = Tensor(repeating: 0, shape: target.shape)
        Kernels.convolutionWeightGradient(
          change.matrix, input.matrix, height: input.shape[1], width: input.shape[2],
          kernel: kernel, into: part.matrix)
        target.accumulate(part)
      }
      if let target = bias?.gradient {
        let sums = Tensor(uninitialised: target.shape)
        Kernels.columnSums(change.matrix, into: sums.pointer)
        target.accumulate(sums)
      }
      if let gradient {
        guard let kernels = weight.variable else {
          preconditionFailure("weights in blocks are for forward passes alone")
        }
        // The convolution of the gradient with the kernel turned by half a turn.
        let turned = kernels.value.turned(kernel: kernel, inputs: input.shape[3])
        let part = Tensor(uninitialised: input.shape)
        Kernels.convolution(
          change.matrix, .float(turned.matrix), bias: nil, height: input.shape[1],
          width: input.shape[2], kernel: kernel, into: part.matrix)
        withExtendedLifetime(turned) {}
        gradient.accumulate(part)
      }
      withExtendedLifetime((change, input)) {}
    }
  }

  /// A transposed convolution of kernel and stride 2 over [images, height, width, in].
  ///
  /// - Parameters:
  ///   - halves: for the upper and the lower row, [2·out, in] each.
  ///   - bias: twice, [2·out].
  /// - Returns: [images, 2·height, 2·width, out]
  public func upConvolution(halves: [MatrixWeight], bias: Variable) -> Variable {
    let (height, width, pair) = (shape[1], shape[2], halves[0].outputs)
    let output = Tensor(uninitialised: [shape[0], 2 * height, 2 * width, pair / 2])
    Kernels.transposedConvolution(
      value.matrix, halves: halves.map(\.view), bias: bias.value.matrix, height: height,
      width: width, into: output.matrix)
    withExtendedLifetime((self, halves, bias)) {}
    let (input, gradient) = (value, gradient)
    return result(output, with: halves.map(\.variable) + [bias]) { change in
      // All upper rows, then all lower ones, [2, images·height·width, 2·out].
      let rows = change.reshaped(input.shape[0] * height, 2, width * pair).permuted([1, 0, 2])
        .reshaped(2, input.shape[0] * height * width, pair)
      let part = gradient.map { _ in Tensor(uninitialised: input.shape) }
      for (half, weight) in halves.enumerated() {
        weight.accumulate(rows[half].matrix, input.matrix)
        guard let part else { continue }
        Kernels.inputGradient(
          rows[half].matrix, weight.view, into: part.matrix, accumulates: half > 0)
      }
      if let target = bias.gradient {
        let sums = Tensor(uninitialised: target.shape)
        Kernels.columnSums(rows.matrix, into: sums.pointer)
        target.accumulate(sums)
      }
      withExtendedLifetime((rows, input, halves)) {}
      if let part { gradient?.accumulate(part) }
    }
  }
}

extension Tensor {
  /// A kernel [out, k·k·in] for the way back, [in, k·k·out].
  fileprivate func turned(kernel: Int, inputs: Int) -> Tensor {
    let taps = reshaped(shape[0], kernel * kernel, inputs).permuted([1, 0, 2]).reversed()
    return taps.permuted([2, 0, 1]).reshaped(inputs, kernel * kernel * shape[0])
  }
}
