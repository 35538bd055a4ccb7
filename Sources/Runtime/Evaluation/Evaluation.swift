import Datasets
import Formats
import Metrics
import Support

/// Holds many predictions against their references, one pair in memory at a time.
public struct Evaluation: Sendable {
  /// Of a voxel's smallest side: how far apart the places of both volumes may be.
  private static let affineTolerance = 0.1

  public var evaluator: Evaluator
  /// Names of the classes from 1 on; empty to name classes after their labels.
  public var classNames: [String]
  public var includesBackground: Bool
  /// What the references' labels mean; nil to take them as they are.
  public var mapping: LabelMap?
  /// Which class a colour of an RGB picture is.
  public var colours: LabelMap
  /// How many of the worst slices to keep as pictures.
  public var pictureCount: Int

  public init(
    evaluator: Evaluator, classNames: [String] = [], includesBackground: Bool = false,
    mapping: LabelMap? = nil, colours: LabelMap, pictureCount: Int = 0
  ) {
    self.evaluator = evaluator
    self.classNames = classNames
    self.includesBackground = includesBackground
    self.mapping = mapping
    self.colours = colours
    self.pictureCount = pictureCount
  }

  /// What was measured of one pair, before all classes are known.
  private struct Measured {
    var pair: EvaluationPairs.Pair
    var results: [UInt16: ClassResult]
    var points: Int
    var diagonal: Double
  }

  /// - Returns: the results, and the worst slices, worst first.
  /// - Throws: `EvaluationError`, `FormatError` or `DatasetError` of the first pair that is at fault.
  public func callAsFunction(
    _ pairs: [EvaluationPairs.Pair], progress: ProgressHandler = { _ in }
  ) throws -> (summary: EvaluationSummary, pictures: [WorstSlice]) {
    var (measured, pictures): ([Measured], [WorstSlice]) = ([], [])
    // Every file is looked for before the first is measured.
    let sizes = try pairs.map {
      try InputFile($0.prediction).size + InputFile($0.reference).size
    }
    var done = 0
    for (pair, size) in zip(pairs, sizes) {
      let (item, slice) = try measure(pair)
      measured.append(item)
      if let slice { pictures = Array((pictures + [slice]).sorted().prefix(pictureCount)) }
      done += size
      progress(Progress(activity: "measuring", completed: done, total: sizes.reduce(0, +)))
    }
    return (summary(measured), pictures)
  }

  private func measure(
    _ pair: EvaluationPairs.Pair
  ) throws -> (Measured, WorstSlice?) {
    let reference = try LabelFile(pair.reference, colours: colours, mapping: mapping)
    let prediction = try LabelFile(pair.prediction, colours: colours, mapping: nil)
    try Self.compare(prediction, reference)
    let present = Set(LabelSet(prediction.grid.labels).labels)
      .union(LabelSet(reference.grid.labels).labels)
    let classes = present.union(includesBackground ? [0] : [])
      .subtracting(includesBackground ? [] : [0]).sorted()
    let results = evaluator(prediction.grid, reference.grid, classes: classes)
    let item = Measured(
      pair: pair, results: Dictionary(uniqueKeysWithValues: zip(classes, results)),
      points: reference.grid.labels.count,
      diagonal: evaluator.convention.isPooledInVoxels
        ? reference.grid.diagonalInVoxels : reference.grid.diagonal)
    guard pictureCount > 0 else { return (item, nil) }
    return (item, WorstSlice(pair.name, prediction.grid, reference.grid))
  }

  private static func compare(_ prediction: LabelFile, _ reference: LabelFile) throws {
    let (found, expected) = (prediction.grid.shape, reference.grid.shape)
    guard found.count == expected.count else {
      throw EvaluationError(
        .kindMismatch, file: prediction.path, expected: "a file of the kind of \(reference.path)")
    }
    guard found == expected else {
      throw EvaluationError(
        .shapeMismatch, file: prediction.path,
        expected: "\(expected) as \(reference.path.escapedForDisplay)", found: "\(found)")
    }
    guard let affine = prediction.affine, let other = reference.affine else { return }
    let distance = affine.distance(to: other, over: expected)
    guard distance > affineTolerance * (other.steps.min() ?? 1) else { return }
    throw EvaluationError(
      .affineMismatch, file: prediction.path,
      expected: "the affine of \(reference.path.escapedForDisplay)",
      found: "voxels up to \((distance * 1000).rounded() / 1000) mm away",
      remedy: "predict on the scan that the reference was drawn on")
  }

  private func summary(_ measured: [Measured]) -> EvaluationSummary {
    var labels = Set(measured.flatMap { $0.results.keys })
    labels.formUnion(classNames.indices.map { UInt16($0 + 1) })
    let classes = labels.sorted().map { label in
      (label: label, name: name(of: label))
    }
    let cases = measured.map { item in
      CaseResult(
        prediction: item.pair.prediction, reference: item.pair.reference,
        classes: classes.map {
          item.results[$0.label] ?? evaluator.absent(pointCount: item.points)
        },
        diagonal: item.diagonal)
    }
    return EvaluationSummary(
      convention: evaluator.convention,
      metrics: Metric.allCases.filter(evaluator.metrics.contains), tolerance: evaluator.tolerance,
      classes: classes, cases: cases)
  }

  private func name(of label: UInt16) -> String {
    if label == 0 { return "background" }
    return classNames.indices.contains(Int(label) - 1) ? classNames[Int(label) - 1] : "\(label)"
  }
}
