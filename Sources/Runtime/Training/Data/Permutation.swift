import Support

/// The order in which an epoch sees its samples: a function of seed and epoch.
///
/// Source: Durstenfeld, "Algorithm 235: Random permutation" (1964).
enum Permutation {
  /// Numbers 0 to `count` − 1, shuffled.
  static func indices(_ count: Int, seed: UInt64, epoch: Int) -> [Int] {
    let stream = RandomStream(
      seed: seed, name: "sample order", step: UInt32(truncatingIfNeeded: epoch))
    var result = Array(0..<count)
    var numbers = SIMD4<Double>()
    for (draw, last) in result.indices.dropFirst().reversed().enumerated() {
      if draw % 4 == 0 { numbers = stream.uniform(block: UInt64(draw / 4)) }
      result.swapAt(last, Int(numbers[draw % 4] * Double(last + 1)))
    }
    return result
  }
}
