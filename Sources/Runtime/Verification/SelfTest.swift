import CKernels
import Numerics
import Support

/// What this processor calculates, held against arithmetic that needs no library.
///
/// The libraries choose code by processor, so what is right on one machine need not be on another.
public struct SelfTest: Sendable {
  public let name: String
  /// The largest difference that was found, and the largest that may be.
  public let difference: Double
  public let limit: Double

  public var passes: Bool { difference <= limit }

  public static func all() -> [SelfTest] {
    Precision.allCases.map(products) + [gelu(), layerNorm()]
  }

  /// Products of whole numbers that both types hold exactly, so that nothing may differ.
  private static func products(_ precision: Precision) -> SelfTest {
    let (rows, columns, depth) = (35, 67, 129)
    let left = (0..<rows * depth).map { Float($0 * 7 % 17 - 8) }
    let right = (0..<columns * depth).map { Float($0 * 5 % 13 - 6) }
    let layer = Linear(
      weight: Variable(Tensor(right, shape: [columns, depth])), bias: nil, precision: precision)
    let found = layer(Variable(Tensor(left, shape: [rows, depth]))).value.values
    var difference = 0.0
    for place in found.indices {
      let (row, column) = (place / columns * depth, place % columns * depth)
      let expected = (0..<depth).reduce(Float(0)) { $0 + left[row + $1] * right[column + $1] }
      difference = max(difference, Double(abs(found[place] - expected)))
    }
    return SelfTest(
      name: "matrix products in \(precision.rawValue)", difference: difference, limit: 0)
  }

  private static var numbers: [Float] { (0..<1000).map { Float($0 * 37 % 1001) / 100 - 5 } }

  private static func gelu() -> SelfTest {
    compare("GELU") { target, source in
      wt_gelu(target, source, 1000)
    } to: { target, source in
      wt_gelu_scalar(target, source, 1000)
    }
  }

  private static func layerNorm() -> SelfTest {
    let (gain, bias) = ([Float](repeating: 1.5, count: 100), [Float](repeating: -1, count: 100))
    return compare("layer norms") { target, source in
      wt_layer_norm(target, source, gain, bias, 10, 100, 1e-6)
    } to: { target, source in
      wt_layer_norm_scalar(target, source, gain, bias, 10, 100, 1e-6)
    }
  }

  private typealias Kernel = (UnsafeMutablePointer<Float>, UnsafePointer<Float>) -> Void

  /// Of a kernel and its scalar twin, which differ by the order of sums.
  private static func compare(_ name: String, _ kernel: Kernel, to twin: Kernel) -> SelfTest {
    let (found, expected) = (results(of: kernel), results(of: twin))
    let difference = zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity
    return SelfTest(name: name, difference: Double(difference), limit: 1e-5)
  }

  private static func results(of kernel: Kernel) -> [Float] {
    let source = numbers
    return [Float](unsafeUninitializedCapacity: source.count) { target, count in
      source.withUnsafeBufferPointer { source in
        guard let target = target.baseAddress, let source = source.baseAddress else { return }
        kernel(target, source)
      }
      count = source.count
    }
  }
}
