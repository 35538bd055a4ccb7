import Formats
import Support

/// A tensor that is made from nothing.
public struct Initialisation: Sendable, Equatable {
  public enum Distribution: Sendable, Equatable {
    case constant(Double)
    /// Uniform between −bound and bound.
    case uniform(bound: Double)
    /// Mean zero and variance one.
    case normal
  }

  public var distribution: Distribution
  public var seed: UInt64
  /// The name that selects the random stream: what a tensor gets depends on its own name only, not
  /// on which others there are or in which order they are made.
  public var stream: String

  static let zero = Initialisation(distribution: .constant(0), seed: 0, stream: "")
  static let one = Initialisation(distribution: .constant(1), seed: 0, stream: "")

  /// PyTorch's default for linear layers and convolutions, weight and bias alike:
  /// `kaiming_uniform_` with a = √5 is uniform within ±1/√fan_in.
  static func fanIn(_ count: Int, seed: UInt64, _ name: TensorName) -> Initialisation {
    Initialisation(
      distribution: .uniform(bound: 1 / Double(count).squareRoot()), seed: seed, stream: name.text)
  }

  /// Glorot and Bengio's uniform distribution, within ±√(6 / (fan_in + fan_out)).
  static func xavier(
    fanIn: Int, fanOut: Int, seed: UInt64, _ name: TensorName
  ) -> Initialisation {
    Initialisation(
      distribution: .uniform(bound: (6 / Double(fanIn + fanOut)).squareRoot()), seed: seed,
      stream: name.text)
  }

  static func normal(seed: UInt64, _ name: TensorName) -> Initialisation {
    Initialisation(distribution: .normal, seed: seed, stream: name.text)
  }

  func reader(for info: TensorInfo) -> any TensorReader {
    let stream = RandomStream(seed: seed, name: stream)
    return NumberReader(info) { range, numbers in
      switch distribution {
      case .constant(let value): numbers.update(repeating: value)
      case .uniform(let bound):
        fillUniform(numbers, range, stream)
        for index in numbers.indices { numbers[index] = bound * (2 * numbers[index] - 1) }
      case .normal: fill(numbers, range) { stream.normal(block: $0) }
      }
    }
  }

  /// Fills the numbers of an index range uniformly; ranges begin with a block of four.
  private func fillUniform(
    _ numbers: UnsafeMutableBufferPointer<Double>, _ range: Range<Int>, _ stream: RandomStream
  ) {
    precondition(range.lowerBound.isMultiple(of: 4))
    let whole = numbers.count - numbers.count % 4
    stream.fillUniform(
      UnsafeMutableBufferPointer(rebasing: numbers[..<whole]), block: UInt64(range.lowerBound / 4))
    guard whole < numbers.count else { return }
    let last = stream.uniform(block: UInt64((range.lowerBound + whole) / 4))
    for index in whole..<numbers.count { numbers[index] = last[index - whole] }
  }

  /// Fills the numbers of an index range from blocks of four.
  private func fill(
    _ numbers: UnsafeMutableBufferPointer<Double>, _ range: Range<Int>,
    _ values: (UInt64) -> SIMD4<Double>
  ) {
    var index = range.lowerBound
    while index < range.upperBound {
      let block = values(UInt64(index / 4))
      for lane in index % 4..<4 where index < range.upperBound {
        numbers[index - range.lowerBound] = block[lane]
        index += 1
      }
    }
  }
}
