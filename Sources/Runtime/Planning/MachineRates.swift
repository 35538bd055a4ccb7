import Benchmarking
import Numerics
import Surgery

/// How fast this machine is at a model's kinds of work, in floating-point operations a second.
public struct MachineRates: Sendable {
  public var products: Double
  public var windowedAttention: Double
  public var globalAttention: Double

  /// Seconds that each kind is measured for; long enough to be past the first, slow runs.
  private static let seconds = 0.25

  /// Measures each kind for a moment, with the model's own extents as far as a moment allows.
  ///
  /// - Parameter slices: of a stack.
  public init(
    measuring model: Architecture, _ encoder: Architecture.Encoder, slices: Int,
    precision: Precision
  ) {
    let encoder = encoder.forAMoment
    let affordable = Self.rows / (encoder.grid * encoder.grid)
    let benchmark = KernelBenchmark(
      model, encoder: encoder, slices: max(1, min(slices, affordable)), seconds: Self.seconds)
    products = benchmark.largestProduct(precision).rate
    windowedAttention = benchmark.attention(isWindowed: true).rate
    globalAttention = benchmark.attention(isWindowed: false).rate
  }

  /// Tokens of all slices, beyond which rates do not change any more.
  private static let rows = 8192

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
}

extension KernelTiming {
  fileprivate var rate: Double { operationsPerSecond ?? 0 }
}

extension Architecture.Encoder {
  /// Of the same form, and small enough to be measured in a moment whatever a file says.
  fileprivate var forAMoment: Self {
    var encoder = self
    let headWidth = min(attentionWidth / heads, 256)
    encoder.heads = min(heads, 16)
    encoder.attentionWidth = encoder.heads * headWidth
    encoder.grid = min(grid, 64)
    encoder.window = window.map { min($0, 64) }
    (encoder.width, encoder.mlpWidth) = (min(width, 4096), min(mlpWidth, 8192))
    return encoder
  }
}
