import CKernels
import Formats
import Testing

@testable import Surgery

@Suite("Products")
struct ProductTests {
  @Test(arguments: [
    (1, 1, 1), (3, 4, 31), (2, 5, 32), (5, 7, 100), (12, 32, 1280), (4, 0, 40), (7, 3, 70),
  ])
  func `the fast product is the plain one bit by bit`(rows: Int, depth: Int, columns: Int) throws {
    let numbers = try [rows * depth, depth * columns, rows * columns].enumerated().map {
      index, count in
      let entry = try Initialiser(seed: UInt64(index)).tensor(
        "x", [count], .normal(seed: UInt64(index), "x"))
      return try SurgeryFixtures.numbers(entry)
    }
    var (fast, plain) = (numbers[2], numbers[2])
    wt_add_product(&fast, numbers[0], numbers[1], rows, depth, columns)
    wt_add_product_scalar(&plain, numbers[0], numbers[1], rows, depth, columns)
    #expect(fast.map(\.bitPattern) == plain.map(\.bitPattern))
  }

  @Test(arguments: [0, 1, 7, 8, 9, 33, 1000])
  func `the fast update adds what the plain one adds and measures the same`(count: Int) throws {
    let update = try normal(count, "update")
    var (fast, plain) = (try normal(count, "weight"), try normal(count, "weight"))
    var (sums, plainSums) = (wt_update_sums(), wt_update_sums())
    wt_add_update(&fast, update, count, -1, &sums)
    wt_add_update_scalar(&plain, update, count, -1, &plainSums)
    #expect(fast.map(\.bitPattern) == plain.map(\.bitPattern))
    #expect(sums.largest == plainSums.largest)
    // Sums of up to 1000 positive terms in another order: at most as many roundings.
    #expect(abs(sums.updates - plainSums.updates) <= 1e-13 * plainSums.updates)
    #expect(abs(sums.weights - plainSums.weights) <= 1e-13 * plainSums.weights)
    let dot = zip(update, plain).reduce(0) { $0 + $1.0 * $1.1 }
    let size = zip(update, plain).reduce(0) { $0 + abs($1.0 * $1.1) }
    #expect(abs(wt_dot(update, plain, count) - dot) <= 1e-13 * size)
  }

  @Test(arguments: [0, 1, 7, 16, 33])
  func `one number at or beyond a limit is seen wherever it stands`(count: Int) {
    let limit = 0x1.ffffffp127
    let good = [Double](repeating: -limit.nextDown, count: count)
    #expect(wt_are_below(good, count, limit) == 1)
    for place in 0..<count {
      for bad in [limit, -limit, .infinity, -.infinity, .nan] {
        var numbers = good
        numbers[place] = bad
        #expect(wt_are_below(numbers, count, limit) == 0)
        #expect(wt_are_below_scalar(numbers, count, limit) == 0)
      }
    }
  }

  @Test func `float32 widens exactly and is rounded to as the language does`() {
    let values: [Double] = [
      0, -0.0, 1, 1 + 0x1p-24, 1 + 0x3p-24, 0x1p-149, 0x1p-150, 0x1.8p-150, 0x1.fffffefp127, 3e38,
      .infinity, -.infinity, 0x1.921fb54442d18p1, -0x1.fffffffffffffp-127,
    ]
    var (bytes, widened) = ([UInt8](repeating: 0, count: 4 * values.count + 1), values)
    for shift in 0...1 {
      bytes.withUnsafeMutableBytes { bytes in
        let place = bytes.baseAddress.map { $0 + shift }
        wt_to_float32(place, values, values.count)
        wt_from_float32(&widened, place, values.count)
      }
      #expect(widened.map(\.bitPattern) == values.map { Double(Float($0)).bitPattern })
    }
  }

  private func normal(_ count: Int, _ name: TensorName) throws -> [Double] {
    try SurgeryFixtures.numbers(
      Initialiser(seed: 1).tensor(name, [count], .normal(seed: 1, name)))
  }
}
