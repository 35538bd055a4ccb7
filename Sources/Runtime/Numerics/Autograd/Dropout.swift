import Support

/// Numbers that are set to zero at random, the others scaled up so that the mean stays.
///
/// What is dropped is a function of seed, step and place, so a calculation that is repeated drops
/// the same. Source: Srivastava et al., "Dropout" (2014).
public struct Dropout: Sendable {
  /// The share that is dropped, in [0, 1).
  public var rate: Float
  public var seed: UInt64
  public var step: UInt32

  public init(rate: Float, seed: UInt64, step: UInt32) {
    precondition(rate >= 0 && rate < 1)
    self.rate = rate
    self.seed = seed
    self.step = step
  }

  /// 0 where a number is dropped, else 1/(1 − rate).
  func factors(_ shape: [Int], place: String) -> Tensor {
    let result = Tensor(uninitialised: shape)
    let stream = RandomStream(seed: seed, name: "dropout." + place, step: step)
    let (flat, keep) = (result.flat, 1 / (1 - rate))
    let pieces = (flat.columns + Kernels.pieceSize - 1) / Kernels.pieceSize
    parallelFor(count: pieces) { index in
      let range = Kernels.panel(index, of: Kernels.pieceSize, in: flat.columns)
      let count = (range.count + 3) / 4 * 4
      withUnsafeTemporaryAllocation(of: Double.self, capacity: count) { numbers in
        stream.fillUniform(numbers, block: UInt64(range.lowerBound / 4))
        for (number, place) in zip(numbers, range) {
          flat.base[place] = number < Double(rate) ? 0 : keep
        }
      }
    }
    return withExtendedLifetime(result) { result }
  }
}

extension Variable {
  /// Drops numbers at random where the calculation is one of training.
  ///
  /// - Parameter place: names what is dropped here, so that every place draws its own.
  public func dropped(_ place: String) -> Variable {
    guard let dropout = tape?.dropout, dropout.rate > 0 else { return self }
    let factors = dropout.factors(shape, place: place)
    let input = gradient
    return result(value.multiplied(by: factors)) { input?.accumulate($0.multiplied(by: factors)) }
  }
}
