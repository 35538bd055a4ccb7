import Numerics
import Support
import Surgery

/// How fast this machine is at a model's kinds of work, in floating-point operations a second.
public struct MachineRates: Sendable {
  public var products: Double
  public var windowedAttention: Double
  public var globalAttention: Double

  /// Seconds that each kind is measured for; long enough to be past the first, slow runs.
  private static let seconds = 0.25
  private static let rows = 2048

  /// Measures each kind for a moment, with the model's own extents.
  public init(measuring encoder: Architecture.Encoder, precision: Precision) {
    products = Self.products(encoder, precision)
    let window = encoder.window ?? encoder.grid
    windowedAttention = Self.attention(encoder, extent: window, isWindowed: true)
    globalAttention = Self.attention(encoder, extent: encoder.grid, isWindowed: false)
  }

  /// - Returns: how long the stages of a workload take, in seconds.
  public func seconds(_ operations: [Workload.Stage: Int]) -> Double {
    operations.reduce(0) { $0 + Double($1.value) / rate($1.key) }
  }

  private func rate(_ stage: Workload.Stage) -> Double {
    switch stage {
    case .windowedAttention: windowedAttention
    case .globalAttention: globalAttention
    default: products
    }
  }

  /// Of the first layer of an MLP.
  private static func products(
    _ encoder: Architecture.Encoder, _ precision: Precision
  ) -> Double {
    let input = Variable(Tensor(repeating: 0.5, shape: [rows, encoder.width]))
    let layer = Linear(
      weight: Variable(Tensor(repeating: 0.5, shape: [encoder.mlpWidth, encoder.width])),
      bias: nil, precision: precision)
    return rate(2 * rows * encoder.width * encoder.mlpWidth) { _ = layer(input) }
  }

  /// Of one image's tokens.
  private static func attention(
    _ encoder: Architecture.Encoder, extent: Int, isWindowed: Bool
  ) -> Double {
    let (tokens, inner) = (encoder.grid * encoder.grid, encoder.attentionWidth)
    let headWidth = inner / encoder.heads
    let table = Tensor(repeating: 0.5, shape: [2 * extent - 1, headWidth])
    let attention = GridAttention(
      heads: encoder.heads, headWidth: headWidth, grid: encoder.grid,
      window: isWindowed ? extent : nil,
      positions: RelativePositions(vertical: table, horizontal: table))
    let projected = Tensor(repeating: 0.5, shape: [tokens, 3 * inner])
    let bias = Tensor(repeating: 0.5, shape: [3 * inner])
    let output = Tensor(uninitialised: [tokens, inner])
    defer { withExtendedLifetime((projected, bias, output, table)) {} }
    return rate(2 * tokens * inner * (2 * extent * extent + 2 * extent)) {
      if isWindowed {
        Kernels.windowAttention(
          attention, projected.matrix, bias: bias.matrix, into: output.matrix)
      } else {
        Kernels.globalAttention(attention, projected.matrix, into: output.matrix)
      }
    }
  }

  private static func rate(_ operations: Int, _ run: () -> Void) -> Double {
    Double(operations) / shortestTime(within: seconds, run)
  }
}
