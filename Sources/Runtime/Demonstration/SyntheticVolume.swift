import Foundation
import Support

/// A scan that never was: two ellipsoid organs under noise and a bias field, and their labels.
///
/// Organ 1 lies on the left and is brighter than what surrounds it, organ 2 on the right and darker.
public struct SyntheticVolume: Sendable {
  public let side: Int
  public let slices: Int
  /// Of each slice [side, side], about 0 to 1.
  public private(set) var images: [[Float]] = []
  /// Of each slice [side, side]: 0, 1 or 2.
  public private(set) var labels: [[UInt8]] = []

  private struct Ellipsoid {
    var centre: SIMD3<Float>
    var radii: SIMD3<Float>

    func contains(_ place: SIMD3<Float>) -> Bool {
      let away = (place - centre) / radii
      return (away * away).sum() <= 1
    }
  }

  public init(seed: UInt64, side: Int = 64, slices: Int = 12) {
    (self.side, self.slices) = (side, slices)
    var random = SeededGenerator(seed: seed)
    let organs = Self.organs(Float(side), Float(slices), &random)
    let slope = SIMD3<Float>(
      .random(in: -0.3...0.3, using: &random), .random(in: -0.3...0.3, using: &random),
      .random(in: -0.1...0.1, using: &random))
    for z in 0..<slices {
      var (image, map) = ([Float](), [UInt8]())
      for index in 0..<side * side {
        let place = SIMD3(Float(index % side), Float(index / side), Float(z))
        let label = organs.firstIndex { $0.contains(place) }.map { $0 + 1 } ?? 0
        let share = place / SIMD3(Float(side), Float(side), Float(slices)) - 0.5
        let tissue: Float = [0.4, 0.8, 0.1][label]
        image.append(tissue * (1 + (share * slope).sum()) + 0.05 * Self.normal(&random))
        map.append(UInt8(label))
      }
      images.append(image)
      labels.append(map)
    }
  }

  /// One in the left half and one in the right.
  private static func organs(
    _ side: Float, _ slices: Float, _ random: inout SeededGenerator
  ) -> [Ellipsoid] {
    [side / 4, 3 * side / 4].map { x in
      Ellipsoid(
        centre: SIMD3(
          x + .random(in: -3...3, using: &random),
          .random(in: 0.35 * side...0.65 * side, using: &random),
          .random(in: 0.4 * slices...0.6 * slices, using: &random)),
        radii: SIMD3(
          .random(in: 0.14 * side...0.2 * side, using: &random),
          .random(in: 0.16 * side...0.28 * side, using: &random),
          .random(in: 0.5 * slices...0.7 * slices, using: &random)))
    }
  }

  /// Box and Muller's method.
  private static func normal(_ random: inout SeededGenerator) -> Float {
    let radius = (-2 * log(Float.random(in: .leastNormalMagnitude..<1, using: &random)))
      .squareRoot()
    return radius * cos(2 * .pi * Float.random(in: 0..<1, using: &random))
  }
}
