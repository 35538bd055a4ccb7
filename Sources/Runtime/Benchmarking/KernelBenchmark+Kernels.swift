import Numerics
import Surgery
import Training

extension KernelBenchmark {
  /// Of all images and heads of a block.
  public func attention(isWindowed: Bool) -> KernelTiming {
    let (grid, inner) = (encoder.grid, encoder.attentionWidth)
    let extent = isWindowed ? encoder.window ?? grid : grid
    let attention = gridAttention(isWindowed: isWindowed)
    let projected = Tensor(repeating: 0.5, shape: [rows, 3 * inner])
    let bias = Tensor(repeating: 0.5, shape: [3 * inner])
    let output = Tensor(uninitialised: [rows, inner])
    defer { withExtendedLifetime((projected, bias, output)) {} }
    return timing(
      isWindowed ? "attention in windows" : "attention everywhere", [rows, inner, extent],
      operations: 2 * rows * inner * (2 * extent * extent + 2 * extent), numbers: 4 * rows * inner
    ) {
      if isWindowed {
        Kernels.windowAttention(
          attention, projected.matrix, bias: bias.matrix, into: output.matrix)
      } else {
        Kernels.globalAttention(attention, projected.matrix, into: output.matrix)
      }
    }
  }

  func gridAttention(isWindowed: Bool) -> GridAttention {
    let (grid, inner) = (encoder.grid, encoder.attentionWidth)
    let extent = isWindowed ? encoder.window ?? grid : grid
    let table = Tensor(repeating: 0.5, shape: [2 * extent - 1, inner / encoder.heads])
    return GridAttention(
      heads: encoder.heads, headWidth: inner / encoder.heads, grid: grid,
      window: isWindowed ? extent : nil,
      positions: RelativePositions(vertical: table, horizontal: table))
  }

  func layerNorm() -> KernelTiming {
    let width = encoder.width
    let input = Tensor(repeating: 0.5, shape: [rows, width])
    let (gain, bias) = (Tensor(repeating: 1, shape: [width]), Tensor(repeating: 0, shape: [width]))
    let output = Tensor(uninitialised: [rows, width])
    defer { withExtendedLifetime((input, gain, bias, output)) {} }
    return timing("layer norm", [rows, width], operations: nil, numbers: 2 * rows * width) {
      Kernels.layerNorm(
        input.matrix, gain: gain.matrix, bias: bias.matrix, epsilon: 1e-6, into: output.matrix)
    }
  }

  func gelu() -> KernelTiming {
    let width = encoder.mlpWidth
    let (input, output) = (
      Tensor(repeating: 0.5, shape: [rows, width]), Tensor(uninitialised: [rows, width])
    )
    defer { withExtendedLifetime((input, output)) {} }
    return timing("GELU", [rows, width], operations: nil, numbers: 2 * rows * width) {
      Kernels.gelu(input.matrix, into: output.matrix)
    }
  }

  func depthConvolution(channels: Int) -> KernelTiming {
    let (input, output) = (
      Tensor(repeating: 0.5, shape: [rows, channels]), Tensor(uninitialised: [rows, channels])
    )
    let taps = (0..<3).map { _ in Tensor(repeating: 0.5, shape: [channels, channels]) }
    let bias = Tensor(repeating: 0.5, shape: [channels])
    defer { withExtendedLifetime((input, output, taps, bias)) {} }
    // The outer slices have a neighbour on one side only.
    let products = (3 * slices - 2) * encoder.grid * encoder.grid
    return timing(
      "convolution over slices", [rows, channels], operations: 2 * products * channels * channels,
      numbers: 2 * rows * channels
    ) {
      Kernels.depthConvolution(
        input.matrix, taps: taps.map { .float($0.matrix) }, bias: bias.matrix, slices: slices,
        tokens: encoder.grid * encoder.grid, into: output.matrix)
    }
  }

  /// The neck's 3 × 3 convolution of SAM's 256 channels.
  func neckConvolution() -> KernelTiming {
    let channels = 256
    let (input, output) = (
      Tensor(repeating: 0.5, shape: [rows, channels]), Tensor(uninitialised: [rows, channels])
    )
    let weight = Tensor(repeating: 0.5, shape: [channels, 9 * channels])
    defer { withExtendedLifetime((input, output, weight)) {} }
    return timing(
      "convolution 3 × 3", [rows, channels], operations: 2 * rows * 9 * channels * channels,
      numbers: 2 * rows * channels
    ) {
      Kernels.convolution(
        input.matrix, .float(weight.matrix), bias: nil, height: encoder.grid, width: encoder.grid,
        kernel: 3, into: output.matrix)
    }
  }

  /// The decoder's last but one, which makes its largest image but one.
  func transposedConvolution() -> KernelTiming {
    let (grid, from, to) = (4 * encoder.grid, 32, 32)
    let pixels = slices * grid * grid
    let (input, output) = (
      Tensor(repeating: 0.5, shape: [pixels, from]), Tensor(uninitialised: [4 * pixels, to])
    )
    let halves = (0..<2).map { _ in Tensor(repeating: 0.5, shape: [2 * to, from]) }
    let bias = Tensor(repeating: 0.5, shape: [2 * to])
    defer { withExtendedLifetime((input, output, halves, bias)) {} }
    return timing(
      "transposed convolution", [pixels, from, to], operations: 2 * pixels * from * 4 * to,
      numbers: pixels * (from + 4 * to)
    ) {
      Kernels.transposedConvolution(
        input.matrix, halves: halves.map { .float($0.matrix) }, bias: bias.matrix, height: grid,
        width: grid, into: output.matrix)
    }
  }

  /// Cross-entropy, Dice and their gradient at full resolution.
  func loss() -> KernelTiming {
    let size = encoder.imageSize
    let logits = Tensor(repeating: 0.5, shape: [slices, maskTokens, size, size])
    let labels = (0..<slices * size * size).map { Int16($0 % maskTokens) }
    return timing(
      "loss and its gradient", [slices, maskTokens, size, size], operations: nil,
      numbers: 2 * logits.count
    ) { _ = SegmentationLoss()(logits: logits, labels: labels) }
  }
}
