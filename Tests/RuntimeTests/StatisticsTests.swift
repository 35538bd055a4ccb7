import Formats
import TestSupport
import Testing

@testable import Verification

@Suite("Statistics and comparison")
struct StatisticsTests {
  @Test func `special numbers are counted apart`() throws {
    let checkpoint = try openCheckpoint(Fixtures.path("torch/plain_protocol2.pth"))
    let index = try #require(checkpoint.index(of: "odd"))
    let statistics = try #require(try TensorStatistics(checkpoint, index))
    #expect(statistics.nanCount == 1)
    #expect(statistics.infinityCount == 1)
    #expect(statistics.zeroCount == 1)
    #expect(statistics.minimum == 0)
  }

  @Test func `means and deviations follow their definition`() throws {
    var statistics = TensorStatistics()
    for value in [1.0, 2, 3, 4] { statistics.add(value) }
    #expect(statistics.mean == 2.5)
    #expect(statistics.standardDeviation == 1.25.squareRoot())
  }

  @Test func `a NaN against a number is beyond any tolerance`() {
    var comparison = TensorComparison()
    let tolerance = TensorComparison.Tolerance(absolute: 10)
    comparison.add(.nan, 1, at: 0, tolerance)
    comparison.add(1, 2, at: 1, tolerance)
    #expect(comparison.differing == 2)
    #expect(comparison.beyondTolerance == 1)
    #expect(comparison.firstIndex == 0)
  }
}
