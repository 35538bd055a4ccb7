import Numerics

extension KernelBenchmark {
  /// What saves work or passes over memory besides the kernels themselves.
  public func savings() -> [KernelTiming] {
    [fusedActivation(), forwardProduct()] + (factorRank.map { [factors(rank: $0)] } ?? []) + [
      buffer()
    ]
  }

  /// The first layer of the MLP, activated while its numbers are at hand.
  private func fusedActivation() -> KernelTiming {
    let (width, mlp) = (encoder.width, encoder.mlpWidth)
    let input = Variable(Tensor(repeating: 0.5, shape: [rows, width]))
    let layer = Linear(
      weight: Variable(Tensor(repeating: 0.5, shape: [mlp, width])),
      bias: Variable(Tensor(repeating: 0.5, shape: [mlp])), for: .inference)
    return timing(
      "f32 product with GELU, MLP, first", [rows, width, mlp],
      operations: 2 * rows * width * mlp, numbers: rows * width + width * mlp + rows * mlp
    ) { _ = layer(input, activation: .gelu) }
  }

  /// The second layer of the MLP, its weight in the order in which products read it if that pays.
  private func forwardProduct() -> KernelTiming {
    product(
      " of a forward pass, MLP, second", depth: encoder.mlpWidth, columns: encoder.width, .float32,
      for: .inference)
  }

  /// Factors of queries and of values beside their weights: down once for both, up into place.
  private func factors(rank: Int) -> KernelTiming {
    let (width, inner) = (encoder.width, encoder.attentionWidth)
    let matrix = { (outputs: Int, inputs: Int) in
      Linear(weight: Variable(Tensor(repeating: 0.001, shape: [outputs, inputs])), bias: nil)
    }
    let (down, core, up) = (matrix(rank, width), matrix(rank, rank), matrix(inner, rank))
    let input = Variable(Tensor(repeating: 0.5, shape: [rows, width]))
    let projected = Variable(Tensor(repeating: 0.5, shape: [rows, 3 * inner]))
    return timing(
      "factors of q and v", [rows, width, rank],
      operations: 2 * rows * rank * (width + 2 * rank + 2 * inner),
      numbers: rows * (width + 4 * inner)
    ) {
      let low = down(input)
      for columns in [0..<inner, 2 * inner..<3 * inner] {
        _ = up(core(low), addedTo: projected, columns: columns)
      }
    }
  }

  /// A buffer for a hidden layer, every page of it touched, given back afterwards.
  private func buffer() -> KernelTiming {
    let (count, page) = (rows * encoder.mlpWidth, 1024)
    return timing("buffer from the pool", [rows, encoder.mlpWidth], operations: nil, numbers: nil) {
      let tensor = Tensor(uninitialised: [count])
      for place in stride(from: 0, to: count, by: page) { tensor.pointer[place] = 0 }
      withExtendedLifetime(tensor) {}
    }
  }
}
