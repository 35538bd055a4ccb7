import Formats
import Foundation
import Support
import TestSupport
import Testing

@testable import Metrics

/// What MedPy, MONAI and surface-distance measure; make_metric_fixtures.py wrote it.
struct MetricFixture: Sendable, CustomTestStringConvertible {
  struct Expected: Decodable, Sendable {
    var spacing: [Double]
    var values: [String: Double?]
  }

  static let all: [Self] = (try? read()) ?? []
  static let pairs = all.filter { !$0.name.hasPrefix("areas") }
  static let areas = all.filter { $0.name.hasPrefix("areas") }

  var name: String
  var expected: Expected
  var testDescription: String { name }

  private static func read() throws -> [Self] {
    let url = URL(fileURLWithPath: Fixtures.path("runtime/metrics.json"))
    let list = try JSONDecoder().decode([String: Expected].self, from: Data(contentsOf: url))
    return list.sorted { $0.key < $1.key }.map { Self(name: $0.key, expected: $0.value) }
  }

  func grid(_ part: String, times label: UInt16 = 1) throws -> LabelGrid {
    let file = try openCheckpoint(Fixtures.path("runtime/metrics.safetensors"))
    let place = try #require(file.index(of: TensorName("\(name).\(part)")))
    return LabelGrid(
      labels: try file.bytes(of: place).map { UInt16($0) * label },
      shape: file.tensors[place].shape.reversed(), spacing: expected.spacing)
  }

  /// A recorded value; nil if it is undefined.
  func value(_ key: String) -> Double? { expected.values[key] ?? nil }
}

@Suite("Metrics")
struct MetricTests {
  private func expectEqual(
    _ found: Double?, _ expected: Double?, _ name: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    guard let found, let expected else {
      #expect((found == nil) == (expected == nil), "\(name)", sourceLocation: sourceLocation)
      return
    }
    #expect(
      abs(found - expected) <= 1e-6 * max(1, abs(expected)), "\(name)",
      sourceLocation: sourceLocation)
  }

  @Test func `every recorded pair is read`() {
    #expect(MetricFixture.pairs.count == 20)
    #expect(MetricFixture.areas.count == 2)
  }

  @Test(arguments: MetricFixture.pairs)
  func `values equal those of MedPy, MONAI and surface-distance`(_ fixture: MetricFixture) throws {
    let (prediction, reference) = (try fixture.grid("prediction"), try fixture.grid("reference"))
    for tolerance in [0.0, 0.5, 1, 2, 5] {
      let result = Evaluator(tolerance: tolerance)(prediction, reference, classes: [1])[0]
      expectEqual(result[.nsd], fixture.value("nsd@\(tolerance)"), "NSD at \(tolerance)")
      for metric in Metric.allCases where metric != .nsd {
        expectEqual(result[metric], fixture.value(metric.rawValue), metric.name)
      }
    }
  }

  @Test(arguments: MetricFixture.pairs, [EvaluationProtocol.masam, .samed])
  func `pooled values equal MedPy's without spacing`(
    _ fixture: MetricFixture, _ convention: EvaluationProtocol
  ) throws {
    let evaluator = Evaluator(convention: convention, metrics: [.hd, .hd95, .assd])
    let result = evaluator(
      try fixture.grid("prediction"), try fixture.grid("reference"), classes: [1])[0]
    for metric in [Metric.hd, .hd95, .assd] {
      let expected = fixture.value("voxels.\(metric)")
      expectEqual(result[metric], expected ?? (convention == .samed ? 0 : nil), metric.name)
    }
  }

  @Test(arguments: MetricFixture.pairs)
  func `another class around changes nothing`(_ fixture: MetricFixture) throws {
    let alone = Evaluator()(
      try fixture.grid("prediction"), try fixture.grid("reference"), classes: [1])[0]
    func surrounded(_ part: String) throws -> LabelGrid {
      let grid = try fixture.grid(part, times: 500)
      return LabelGrid(
        labels: grid.labels.map { $0 == 0 ? 7 : $0 }, shape: grid.shape, spacing: grid.spacing)
    }
    let both = Evaluator()(
      try surrounded("prediction"), try surrounded("reference"), classes: [7, 500])
    #expect(both[1] == alone)
    let inverse = both[0].overlap
    #expect(inverse.truePositives == alone.overlap.trueNegatives)
    #expect(inverse.falsePositives == alone.overlap.falseNegatives)
  }

  @Test(arguments: MetricFixture.areas)
  func `areas of cells equal those of surface-distance`(_ fixture: MetricFixture) {
    let spacing = fixture.expected.spacing
    let areas = SurfaceElements.areas(spacing: (spacing[0], spacing[1], spacing[2]))
    #expect(areas.count == 256)
    for (code, area) in areas.enumerated() {
      // Theirs counts from the highest bit, the last axis first.
      let theirs = (0..<8).reduce(0) { sum, corner in
        let (x, y, z) = (corner & 1, corner >> 1 & 1, corner >> 2)
        return sum | (code >> corner & 1) << (7 - (4 * x + 2 * y + z))
      }
      expectEqual(area, fixture.value("\(theirs)"), "cell \(code)")
    }
  }

  @Test(arguments: [1.0, 0.7, 2.5], [0.01, 0.3, 0.9])
  func `distances equal those found by trying all pairs`(
    _ height: Double, _ density: Double
  ) {
    var random = SeededGenerator(seed: UInt64(density * 100))
    for shape in [[9, 7, 5], [33, 1, 4], [1, 1, 30], [40, 3], [1, 1]] {
      let lattice = Lattice(shape: shape, spacing: [1.3, 0.8, height].prefix(shape.count) + [])
      let count = UInt32(shape.reduce(1, *))
      func points() -> [UInt32] {
        (0..<count).filter { _ in Double.random(in: 0..<1, using: &random) < density }
      }
      let (targets, questions) = (points(), points())
      let found = NearestDistances(to: targets, on: lattice)(from: questions)
      let expected = questions.map { question in
        targets.map { slowDistance(question, $0, lattice) }.min() ?? .infinity
      }
      #expect(found.count == expected.count)
      for (one, other) in zip(found, expected) where one != other {
        #expect(abs(one - other) <= 1e-12 * other)
      }
    }
  }

  @Test(arguments: [1.0, 0.7, 2.5]) func `looking around finds what the transform finds`(
    _ height: Double
  ) throws {
    var random = SeededGenerator(seed: 5)
    for (shape, density) in [([24, 20, 12], 0.3), ([60, 2, 30], 0.4), ([90, 70], 0.2)] {
      let lattice = Lattice(
        shape: shape, spacing: Array([1.3, 0.8, height].prefix(shape.count)))
      let count = UInt32(shape.reduce(1, *))
      func points() -> [UInt32] {
        (0..<count).filter { _ in Double.random(in: 0..<1, using: &random) < density }
      }
      let (targets, questions) = (points(), points())
      let nearest = NearestDistances(to: targets, on: lattice)
      let found = try #require(nearest.around(questions))
      let expected = nearest.transformed(questions)
      for (one, other) in zip(found, expected) { #expect(abs(one - other) <= 1e-12 * other) }
      // A step, two and a diagonal: ties count as near.
      for tolerance in [0, 1.3, 1.6, 2.6] {
        let nearby = try #require(NearbyTargets([targets], on: lattice, within: tolerance))
        #expect(nearby.haveTarget(near: questions) == found.map { $0 <= tolerance })
      }
    }
  }

  @Test func `there is no looking around far or in needles`() {
    let wide = Lattice(shape: [60, 60, 60], spacing: [1, 1, 1])
    #expect(NearbyTargets([[0, 5]], on: wide, within: 5) == nil)
    let needle = Lattice(shape: [1000, 1000, 2], spacing: [1e-9, 1e-9, 1])
    #expect(NearbyTargets([[0, 5]], on: needle, within: 1) == nil)
    #expect(NearbyTargets([[0, 5]], on: needle, within: .infinity) == nil)
  }

  private func slowDistance(_ one: UInt32, _ other: UInt32, _ lattice: Lattice) -> Double {
    func place(_ point: UInt32) -> SIMD3<Double> {
      let (row, x) = Int(point).quotientAndRemainder(dividingBy: lattice.columns)
      let (z, y) = row.quotientAndRemainder(dividingBy: lattice.rows)
      return SIMD3(
        Double(x) * lattice.spacing.x, Double(y) * lattice.spacing.y, Double(z) * lattice.spacing.z)
    }
    let way = place(one) - place(other)
    return (way * way).sum().squareRoot()
  }
}
