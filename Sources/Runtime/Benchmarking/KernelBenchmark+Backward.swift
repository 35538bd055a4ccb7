import Numerics

extension KernelBenchmark {
  /// What a training step does besides a forward pass.
  public func backward() -> [KernelTiming] {
    let (width, mlp) = (encoder.width, encoder.mlpWidth)
    let adapter = adapterChannels.map { channels in
      [
        weightGradient("adapter, down", channels, width),
        weightGradient("adapter, up", width, channels),
        weightGradient("adapter, a tap", channels, channels),
      ]
    }
    return [
      inputGradient("MLP, first", mlp, width), inputGradient("MLP, second", width, mlp),
    ] + (adapter ?? []) + [geluBackward()] + kindsOfAttention.map(attentionBothWays)
  }

  /// Of a product that gives `outputs` numbers for `inputs`.
  private func inputGradient(_ name: String, _ outputs: Int, _ inputs: Int) -> KernelTiming {
    let gradient = Tensor(repeating: 0.5, shape: [rows, outputs])
    let weight = Tensor(repeating: 0.5, shape: [outputs, inputs])
    let result = Tensor(uninitialised: [rows, inputs])
    defer { withExtendedLifetime((gradient, weight, result)) {} }
    return timing(
      "gradient of input, \(name)", [rows, outputs, inputs],
      operations: 2 * rows * outputs * inputs,
      numbers: rows * outputs + outputs * inputs + rows * inputs
    ) { Kernels.inputGradient(gradient.matrix, .float(weight.matrix), into: result.matrix) }
  }

  private func weightGradient(_ name: String, _ outputs: Int, _ inputs: Int) -> KernelTiming {
    let gradient = Tensor(repeating: 0.5, shape: [rows, outputs])
    let input = Tensor(repeating: 0.5, shape: [rows, inputs])
    let result = Tensor(uninitialised: [outputs, inputs])
    defer { withExtendedLifetime((gradient, input, result)) {} }
    return timing(
      "gradient of weight, \(name)", [outputs, rows, inputs],
      operations: 2 * rows * outputs * inputs,
      numbers: rows * outputs + outputs * inputs + rows * inputs
    ) { Kernels.weightGradient(gradient.matrix, input.matrix, into: result.matrix) }
  }

  private func geluBackward() -> KernelTiming {
    let width = encoder.mlpWidth
    let gradient = Tensor(repeating: 0.5, shape: [rows, width])
    let input = Tensor(repeating: 0.5, shape: [rows, width])
    defer { withExtendedLifetime((gradient, input)) {} }
    return timing("GELU, backward", [rows, width], operations: nil, numbers: 3 * rows * width) {
      Kernels.geluBackward(gradient.matrix, input.matrix)
    }
  }

  /// Forward and backward, whose seven products of tokens with tokens are two and five.
  private func attentionBothWays(isWindowed: Bool) -> KernelTiming {
    let (grid, inner) = (encoder.grid, encoder.attentionWidth)
    let extent = isWindowed ? encoder.window ?? grid : grid
    let attention = gridAttention(isWindowed: isWindowed)
    let projected = Variable.trained(
      Tensor(repeating: 0.5, shape: [slices, grid, grid, 3 * inner]))
    let bias = Variable(Tensor(repeating: 0.5, shape: [3 * inner]))
    let table = Variable(attention.positions.table)
    return timing(
      "attention \(isWindowed ? "in windows" : "everywhere"), both ways", [rows, inner, extent],
      operations: 2 * rows * inner * (7 * extent * extent + 4 * extent), numbers: 9 * rows * inner
    ) {
      let tape = Tape()
      let output = attention(projected.on(tape), bias: bias, table: table)
      output.gradient?.accumulate(Tensor(repeating: 0.5, shape: output.shape))
      tape.runBackward()
      projected.gradient?.take()
    }
  }
}
