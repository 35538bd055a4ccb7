import CKernels
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
}
