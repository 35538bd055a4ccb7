import Numerics
import Support
import Surgery
import Training

/// What one kernel took.
public struct KernelTiming: Sendable {
  public let name: String
  /// The extents that it was run at.
  public let extents: String
  /// The shortest run.
  public let seconds: Double
  /// Floating-point operations of a run, nil for what memory alone limits.
  public let operations: Int?
  /// Bytes that must be read and written, nil where there are none.
  public let bytes: Int?

  public var operationsPerSecond: Double? { operations.map { Double($0) / seconds } }
  public var bytesPerSecond: Double? { bytes.map { Double($0) / seconds } }
}

/// Times each kernel of a model's size by itself, on all threads but for the smallest products.
public struct KernelBenchmark: Sendable {
  let encoder: Architecture.Encoder
  let slices: Int
  /// Of the adapters, nil without any.
  let adapterChannels: Int?
  /// Of the factors, nil without any.
  let factorRank: Int?
  let maskTokens: Int
  let seconds: Double

  var rows: Int { slices * encoder.grid * encoder.grid }

  /// - Parameters:
  ///   - model: one with an encoder.
  ///   - slices: of the stack that kernels work on.
  ///   - seconds: how long each kernel is repeated.
  public init(_ model: Architecture, encoder: Architecture.Encoder, slices: Int, seconds: Double) {
    self.encoder = encoder
    self.slices = slices
    self.seconds = seconds
    adapterChannels = model.adapters?.channels
    factorRank = model.factors?.rank
    maskTokens = model.decoder.maskTokens
  }

  /// MA-SAM of ViT-B, 512 pixels, 12 classes.
  public static func viTB(seconds: Double) throws -> KernelBenchmark {
    let plan = try SAMForm.vitB.masam()
    let model = try Architecture(plan)
    guard let encoder = model.encoder else { preconditionFailure("a SAM has an encoder") }
    return KernelBenchmark(model, encoder: encoder, slices: 5, seconds: seconds)
  }

  /// The matrix products of a block, in the order in which a forward pass meets them.
  public func products(_ precision: Precision) -> [KernelTiming] {
    let (width, inner) = (encoder.width, encoder.attentionWidth)
    let adapter = adapterChannels.map {
      [("adapter, down", width, $0), ("adapter, up", $0, width)]
    }
    let shapes = [
      ("qkv", width, 3 * inner), ("projection", inner, width),
      ("MLP, first", width, encoder.mlpWidth), ("MLP, second", encoder.mlpWidth, width),
    ]
    return (shapes + (adapter ?? [])).map { product(", \($0)", depth: $1, columns: $2, precision) }
  }

  /// The largest product of a block, which runs at the rate that others are held against.
  public func largestProduct(_ precision: Precision) -> KernelTiming {
    product(", MLP, first", depth: encoder.width, columns: encoder.mlpWidth, precision)
  }

  func product(
    _ suffix: String, depth: Int, columns: Int, _ precision: Precision,
    for purpose: MatrixWeight.Purpose = .training
  ) -> KernelTiming {
    let input = Variable(Tensor(repeating: 0.5, shape: [rows, depth]))
    let weight = Variable(Tensor(repeating: 0.5, shape: [columns, depth]))
    let layer = Linear(weight: weight, bias: nil, precision: precision, for: purpose)
    return timing(
      "\(precision.rawValue) product\(suffix)", [rows, depth, columns],
      operations: 2 * rows * depth * columns,
      numbers: rows * depth + depth * columns + rows * columns
    ) { _ = layer(input) }
  }

  /// Everything else that takes time in a forward pass or in the loss.
  public func others() -> [KernelTiming] {
    kindsOfAttention.map(attention) + [layerNorm(), gelu()]
      + (adapterChannels.map { [depthConvolution(channels: $0)] } ?? [])
      + [neckConvolution(), transposedConvolution(), loss()] + scheduling()
  }

  /// Whether they are in windows; a model may have none, or nothing else.
  var kindsOfAttention: [Bool] {
    guard encoder.window != nil else { return [false] }
    return encoder.globalBlocks?.isEmpty == true ? [true] : [true, false]
  }

  func timing(
    _ name: String, _ extents: [Int], operations: Int?, numbers: Int?, _ run: () -> Void
  ) -> KernelTiming {
    KernelTiming(
      name: name, extents: extents.map(String.init).joined(separator: " × "),
      seconds: shortestTime(within: seconds, run), operations: operations,
      bytes: numbers.map { 4 * $0 })
  }
}
