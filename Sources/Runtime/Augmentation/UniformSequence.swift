import Support

/// The uniform numbers of a stream, one after the other.
struct UniformSequence {
  private let stream: RandomStream
  private var block: UInt64 = 0
  private var numbers = SIMD4<Double>()
  private var used = 4

  init(_ stream: RandomStream) { self.stream = stream }

  /// In the open interval (0, 1).
  mutating func next() -> Double {
    if used == 4 {
      numbers = stream.uniform(block: block)
      (block, used) = (block + 1, 0)
    }
    defer { used += 1 }
    return numbers[used]
  }

  mutating func chance(_ probability: Double) -> Bool { next() < probability }

  mutating func number(in range: ClosedRange<Double>) -> Double {
    range.lowerBound + next() * (range.upperBound - range.lowerBound)
  }

  mutating func integer(in range: Range<Int>) -> Int {
    range.lowerBound + Int(next() * Double(range.count))
  }
}
