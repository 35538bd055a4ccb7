extension GridAttention {
  /// Attention over the grids of images.
  ///
  /// - Parameters:
  ///   - projected: q, k and v side by side, [images, grid, grid, 3·width].
  ///   - bias: of the projection, [3·width].
  ///   - table: of positions, as `RelativePositions` has it.
  /// - Returns: [images, grid, grid, width]
  public func callAsFunction(_ projected: Variable, bias: Variable, table: Variable) -> Variable {
    var attention = self
    attention.positions = RelativePositions(table: table.value)
    let isTrained = [projected, bias, table].contains { $0.gradient != nil }
    let results = attention.results(projected, bias.value, isTrained: isTrained)
    let (output, logSums) = (results[0], results.dropFirst().first)
    let (input, gradient) = (projected.value, projected.gradient)
    return projected.result(output, with: [bias, table]) { [attention] change in
      guard let logSums else { return }
      let part = Tensor(uninitialised: input.shape)
      let gradients = attention.backward(
        GridAttentionGradient(
          projected: input.matrix, output: output.matrix, logSums: logSums.matrix,
          gradient: change.matrix, projectedGradient: part.matrix),
        bias: bias, wantsTable: table.gradient != nil)
      withExtendedLifetime((input, output, logSums, change)) {}
      gradient?.accumulate(part)
      if let sum = gradients.table { table.gradient?.accumulate(sum) }
      if let sum = gradients.bias { bias.gradient?.accumulate(sum) }
    }
  }

  /// The attention, and the logarithms of sums that differentiating it takes.
  private func results(_ projected: Variable, _ bias: Tensor, isTrained: Bool) -> [Tensor] {
    let make = { (isTraining: Bool) in
      let output = Tensor(uninitialised: projected.shape.dropLast() + [width])
      let logSums = isTraining ? Tensor(uninitialised: output.shape.dropLast() + [heads]) : nil
      run(projected.value, bias, output, logSums)
      return [output] + [logSums].compactMap { $0 }
    }
    guard isTrained, let tape = projected.tape, tape.isTraining else { return make(false) }
    return tape.keeping { make(true) }
  }

  private func run(_ projected: Tensor, _ bias: Tensor, _ output: Tensor, _ logSums: Tensor?) {
    if window == nil {
      Kernels.globalAttention(
        self, projected.matrix, into: output.matrix, logSums: logSums?.matrix)
    } else {
      Kernels.windowAttention(
        self, projected.matrix, bias: bias.matrix, into: output.matrix, logSums: logSums?.matrix)
    }
    withExtendedLifetime((projected, bias, output, logSums)) {}
  }

  private func backward(
    _ parts: GridAttentionGradient, bias: Variable, wantsTable: Bool
  ) -> (table: Tensor?, bias: Tensor?) {
    guard window != nil else {
      return (Kernels.globalAttentionBackward(self, parts, wantsTable: wantsTable), nil)
    }
    return Kernels.windowAttentionBackward(
      self, parts, bias: bias.value.matrix, wantsTable: wantsTable,
      wantsBias: bias.gradient != nil)
  }
}

extension Variable {
  /// Attention of queries [images, m, width] to keys and values [images, n, width] in some heads.
  public func attention(to keys: Variable, _ values: Variable, heads: Int) -> Variable {
    let operands = [self, keys, values]
    let output = Tensor(uninitialised: shape)
    let isTrained = isRecorded && operands.contains { $0.gradient != nil }
    let logSums = isTrained ? Tensor(uninitialised: [shape[0] * shape[1], heads]) : nil
    Kernels.crossAttention(
      value.matrix, keys.value.matrix, values.value.matrix, heads: heads, images: shape[0],
      into: output.matrix, logSums: logSums?.matrix)
    withExtendedLifetime((operands, logSums)) {}
    return result(output, with: [keys, values]) { change in
      guard let logSums else { return }
      let parts = operands.map { Tensor(uninitialised: $0.shape) }
      Kernels.crossAttentionBackward(
        operands.map(\.value.matrix), output: output.matrix, logSums: logSums.matrix,
        gradient: change.matrix, heads: heads, images: output.shape[0], into: parts.map(\.matrix))
      withExtendedLifetime((operands, output, logSums, change)) {}
      for (operand, part) in zip(operands, parts) { operand.gradient?.accumulate(part) }
    }
  }
}
