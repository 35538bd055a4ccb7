import Support

/// The augmentation with which MA-SAM was trained: up to four changes by chance, then two of ten.
///
/// The numbers come from a counter-based generator, so the stream differs from the published
/// program's; the distribution does not. A stack with boxes is spared what boxes do not follow:
/// erasing, shearing, scaling and shifting, as in the published program for prompts.
/// Source: `MA_SAM/datasets/dataset.py` and `dataset_bbox.py` of cchen-cc/MA-SAM.
public struct MASAMAugmentation: Sendable, Equatable {
  /// How probable each of the first four changes is.
  public var probability = 0.5
  /// Whole degrees to rotate by.
  public var degrees = -15..<15
  public var gamma = 0.5...3.5
  /// The erased part of a slice, and its width over its height.
  public var erasedArea = 0.02...0.05
  public var erasedAspect = 0.3...3.3
  public var shear = -0.3...0.3
  public var scale = 0.8...1.2
  /// In parts of the side.
  public var translation = -0.2...0.2
  /// The fraction is cut off, so that each of 4 to 8 bits is as probable.
  public var posteriseBits = 4...8.99
  public var contrast = 0.7...1.3
  public var brightness = 0.7...1.3
  public var sharpness = 0.1...1.9

  public init() {}

  /// Changes the stack, in a way that depends on the stream alone.
  ///
  /// Turning by 90° exchanges height and width.
  /// - Parameter randomness: the stream of this seed, step and sample.
  public func callAsFunction(_ sample: inout AugmentedSample, randomness: RandomStream) {
    let steps = steps(
      height: sample.height, width: sample.width, hasBoxes: sample.boxes != nil, randomness)
    for step in steps { step.apply(to: &sample, randomness: randomness) }
  }

  /// What is drawn for a stack of that size.
  func steps(
    height: Int, width: Int, hasBoxes: Bool, _ randomness: RandomStream
  ) -> [AugmentationStep] {
    var draws = UniformSequence(randomness)
    var (steps, height, width): ([AugmentationStep], Int, Int) = ([], height, width)
    if draws.chance(probability) {
      let quarters = draws.integer(in: 0..<4)
      steps.append(.turnAndFlip(quarters: quarters, axis: draws.integer(in: 0..<2)))
      if !quarters.isMultiple(of: 2) { (height, width) = (width, height) }
    }
    if draws.chance(probability) { steps.append(.rotation(degrees: draws.integer(in: degrees))) }
    if draws.chance(probability) { steps.append(.gamma(draws.number(in: gamma))) }
    if !hasBoxes, draws.chance(probability),
      let erasure = erasure(height: height, width: width, &draws)
    {
      steps.append(.erasure(erasure))
    }
    return steps + twoOfMany(hasBoxes: hasBoxes, &draws)
  }

  /// Two different operations in random order, each with its magnitude.
  private func twoOfMany(
    hasBoxes: Bool, _ draws: inout UniformSequence
  ) -> [AugmentationStep] {
    var operations = hasBoxes ? [] : geometricOperations
    operations += [
      { .posterise(bits: Int($0.number(in: posteriseBits))) },
      { .contrast($0.number(in: contrast)) }, { .brightness($0.number(in: brightness)) },
      { .sharpness($0.number(in: sharpness)) }, { _ in .identity },
    ]
    return (0..<2).map { _ in
      operations.remove(at: draws.integer(in: 0..<operations.count))(&draws)
    }
  }

  private typealias Draw = (inout UniformSequence) -> AugmentationStep

  private var geometricOperations: [Draw] {
    [
      { .geometric(.shearX, $0.number(in: shear)) }, { .geometric(.shearY, $0.number(in: shear)) },
      { .geometric(.scale, $0.number(in: scale)) },
      { .geometric(.translateX, $0.number(in: translation)) },
      { .geometric(.translateY, $0.number(in: translation)) },
    ]
  }

  /// A rectangle inside the slice; nil for a slice so narrow that none was found.
  private func erasure(
    height: Int, width: Int, _ draws: inout UniformSequence
  ) -> Erasure? {
    for _ in 0..<100 {
      let area = draws.number(in: erasedArea) * Double(height * width)
      let aspect = draws.number(in: erasedAspect)
      let columns = Int((area * aspect).squareRoot())
      let rows = Int((area / aspect).squareRoot())
      guard columns < width, rows < height else { continue }
      let top = draws.integer(in: 0..<height - rows + 1)
      let left = draws.integer(in: 0..<width - columns + 1)
      return Erasure(top: top, left: left, rows: rows, columns: columns)
    }
    return nil
  }
}
