import Testing

@testable import Support

@Suite("Random numbers")
struct RandomTests {
  /// The known answers that the paper's authors publish with their own implementation.
  @Test func `Philox gives the published answers`() {
    let all = UInt32.max
    let cases: [(counter: SIMD4<UInt32>, key: (UInt32, UInt32), answer: SIMD4<UInt32>)] = [
      (.zero, (0, 0), SIMD4(0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8)),
      (
        SIMD4(repeating: all), (all, all),
        SIMD4(0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD)
      ),
      (
        SIMD4(0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344), (0xA409_3822, 0x299F_31D0),
        SIMD4(0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1)
      ),
    ]
    for item in cases { #expect(Philox(key: item.key)(item.counter) == item.answer) }
  }

  @Test func `every part of the key makes another stream`() {
    let streams = [
      RandomStream(seed: 1, stream: 2, step: 3, sample: 4),
      RandomStream(seed: 1 << 32, stream: 2, step: 3, sample: 4),
      RandomStream(seed: 1, stream: 2 << 32, step: 3, sample: 4),
      RandomStream(seed: 1, stream: 2, step: 4, sample: 4),
      RandomStream(seed: 1, stream: 2, step: 3, sample: 5),
      RandomStream(seed: 1, name: "a"), RandomStream(seed: 1, name: "b"),
    ]
    #expect(Set(streams.map { $0.words(block: 7) }).count == streams.count)
    #expect(Set((0..<1000).map { streams[0].words(block: $0) }).count == 1000)
  }

  @Test func `uniform numbers fill their interval evenly`() {
    let stream = RandomStream(seed: 5, name: "uniform")
    var bins = [Int](repeating: 0, count: 16)
    for block in 0..<UInt64(16_000) {
      let values = stream.uniform(block: block)
      for lane in 0..<4 {
        #expect(values[lane] > 0 && values[lane] < 1)
        bins[Int(values[lane] * 16)] += 1
      }
    }
    // χ² with 15 degrees of freedom: 37.7 is exceeded once in a thousand seeds.
    let expected = 4000.0
    let chi = bins.reduce(0.0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
    #expect(chi < 37.7)
  }

  @Test(arguments: [0, 1, (1 << 32) - 3, 1 << 40] as [UInt64])
  func `many at once are the same as one by one`(first: UInt64) {
    let stream = RandomStream(seed: 99, name: "many", step: 1, sample: 2)
    for blocks in [0, 1, 15, 16, 17, 100] {
      var numbers = [Double](repeating: 0, count: 4 * blocks)
      numbers.withUnsafeMutableBufferPointer { stream.fillUniform($0, block: first) }
      let expected = (0..<blocks).flatMap { block in
        let values = stream.uniform(block: first + UInt64(block))
        return (0..<4).map { values[$0] }
      }
      #expect(numbers == expected)
    }
  }

  @Test func `normal numbers have the moments of a normal distribution`() {
    let stream = RandomStream(seed: 5, name: "normal")
    var moments = (0.0, 0.0, 0.0, 0.0)
    let blocks = 25_000
    for block in 0..<UInt64(blocks) {
      let values = stream.normal(block: block)
      for lane in 0..<4 {
        let x = values[lane]
        moments = (
          moments.0 + x, moments.1 + x * x, moments.2 + x * x * x, moments.3 + x * x * x * x
        )
      }
    }
    // Four standard errors of each moment over 100 000 draws.
    let count = Double(4 * blocks)
    #expect(abs(moments.0 / count) < 4 / count.squareRoot())
    #expect(abs(moments.1 / count - 1) < 4 * (2 / count).squareRoot())
    #expect(abs(moments.2 / count) < 4 * (15 / count).squareRoot())
    #expect(abs(moments.3 / count - 3) < 4 * (96 / count).squareRoot())
  }
}
