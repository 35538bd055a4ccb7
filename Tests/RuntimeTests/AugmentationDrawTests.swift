import Support
import TestSupport
import Testing

@testable import Augmentation

@Suite("Draws of the augmentation")
struct AugmentationDrawTests {
  private static let count = 20_000

  private func steps(_ sample: Int, hasBoxes: Bool = false) -> [AugmentationStep] {
    let stream = RandomStream(seed: 7, name: "augmentation", step: 3, sample: UInt32(sample))
    return MASAMAugmentation().steps(height: 512, width: 512, hasBoxes: hasBoxes, stream)
  }

  /// Four standard errors of a share of all stacks.
  private func expectShare(
    _ found: Int, of count: Int, _ share: Double, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let deviation = (share * (1 - share) / Double(count)).squareRoot()
    #expect(
      abs(Double(found) / Double(count) - share) < 4 * deviation, sourceLocation: sourceLocation)
  }

  @Test func `each of four changes happens to half of the stacks, whatever the others do`() {
    var together = [Int](repeating: 0, count: 16)
    for sample in 0..<Self.count {
      var pattern = 0
      for step in steps(sample).dropLast(2) {
        switch step {
        case .turnAndFlip: pattern |= 1
        case .rotation: pattern |= 2
        case .gamma: pattern |= 4
        case .erasure: pattern |= 8
        default: Issue.record("\(step) is none of the four")
        }
      }
      together[pattern] += 1
    }
    for found in together { expectShare(found, of: Self.count, 1 / 16) }
  }

  @Test func `every ordered pair of two different operations is as probable`() {
    var pairs: [String: Int] = [:]
    for sample in 0..<Self.count {
      let names = steps(sample).suffix(2).map(name)
      #expect(names[0] != names[1])
      pairs[names.joined(separator: " "), default: 0] += 1
    }
    #expect(pairs.count == 90)
    for found in pairs.values { expectShare(found, of: Self.count, 1 / 90) }
  }

  @Test func `magnitudes fill their ranges evenly`() {
    var ranges: [String: [Double]] = [:]
    for sample in 0..<Self.count {
      for step in steps(sample) {
        for (name, value) in magnitudes(step) { ranges[name, default: []].append(value) }
      }
    }
    let expected: [String: (ClosedRange<Double>, bins: Int)] = [
      "quarters": (0...4, 4), "axis": (0...2, 2), "rotation": (-15...15, 30),
      "gamma": (0.5...3.5, 10), "area": (0.02...0.05, 10),
      "shearX": (-0.3...0.3, 10), "shearY": (-0.3...0.3, 10), "scale": (0.8...1.2, 10),
      "translateX": (-0.2...0.2, 10), "translateY": (-0.2...0.2, 10),
      "contrast": (0.7...1.3, 10), "brightness": (0.7...1.3, 10), "sharpness": (0.1...1.9, 10),
    ]
    for (name, (range, bins)) in expected {
      let values = ranges[name] ?? []
      var counts = [Int](repeating: 0, count: bins)
      for value in values {
        let part = (value - range.lowerBound) / (range.upperBound - range.lowerBound)
        // A rectangle of whole pixels has a little less area than was drawn.
        guard part > -0.06, part < 1 else {
          Issue.record("\(name) of \(value)")
          continue
        }
        if name != "area" { counts[Int(part * Double(bins))] += 1 }
      }
      if name == "area" {
        let mean = values.reduce(0, +) / Double(values.count)
        #expect(abs(mean - 0.035) < 0.0005)
      } else {
        for found in counts { expectShare(found, of: values.count, 1 / Double(bins)) }
      }
    }
    // 4 to 8.99 bits with the fraction cut off.
    let bits = ranges["posterise"] ?? []
    for depth in 4...8 {
      let share = min(Double(depth) + 1, 8.99) - Double(depth)
      expectShare(bits.filter { $0 == Double(depth) }.count, of: bits.count, share / 4.99)
    }
  }

  @Test func `erased rectangles lie anywhere inside`() {
    var corners: Set<String> = []
    for sample in 0..<Self.count {
      for case .erasure(let place) in steps(sample) {
        #expect(place.top >= 0 && place.top + place.rows <= 512)
        #expect(place.left >= 0 && place.left + place.columns <= 512)
        let aspect = Double(place.columns) / Double(place.rows)
        #expect(aspect > 0.29 && aspect < 3.4)
        if place.top < 26 { corners.insert("top") }
        if place.left < 26 { corners.insert("left") }
        if place.top + place.rows > 486 { corners.insert("bottom") }
        if place.left + place.columns > 486 { corners.insert("right") }
      }
    }
    #expect(corners.count == 4)
  }

  @Test func `a stack with boxes is spared what boxes do not follow`() {
    for sample in 0..<2000 {
      for step in steps(sample, hasBoxes: true) {
        switch step {
        case .erasure, .geometric: Issue.record("\(step) with boxes")
        default: break
        }
      }
    }
  }

  @Test func `the same key gives the same stack, another one another`() {
    var random = SeededGenerator(seed: 3)
    let images = (0..<2 * 64 * 64).map { _ in Float.random(in: 0...1, using: &random) }
    let labels = (0..<2 * 64 * 64).map { _ in UInt8.random(in: 0...5, using: &random) }
    let results = [(1, 1), (1, 1), (2, 1), (1, 2)].map { step, sample in
      var stack = AugmentedSample(
        images: images, labels: labels, slices: 2, channels: 1, height: 64, width: 64)
      let stream = RandomStream(
        seed: 7, name: "augmentation", step: UInt32(step), sample: UInt32(sample))
      MASAMAugmentation()(&stack, randomness: stream)
      return stack
    }
    #expect(results[0] == results[1])
    #expect(results[0] != results[2])
    #expect(results[0] != results[3])
  }

  private func name(_ step: AugmentationStep) -> String {
    switch step {
    case .geometric(let operation, _): "\(operation)"
    case .posterise: "posterise"
    case .contrast: "contrast"
    case .brightness: "brightness"
    case .sharpness: "sharpness"
    case .identity: "identity"
    default: "another"
    }
  }

  private func magnitudes(_ step: AugmentationStep) -> [(String, Double)] {
    switch step {
    case .turnAndFlip(let quarters, let axis):
      [("quarters", Double(quarters)), ("axis", Double(axis))]
    case .rotation(let degrees): [("rotation", Double(degrees))]
    case .gamma(let value): [("gamma", value)]
    case .erasure(let place): [("area", Double(place.rows * place.columns) / (512 * 512))]
    case .geometric(_, let value), .contrast(let value), .brightness(let value),
      .sharpness(let value):
      [(name(step), value)]
    case .posterise(let bits): [("posterise", Double(bits))]
    case .identity: []
    }
  }
}
