import Datasets
import Networks
import Numerics
import Support
import Surgery

/// How well a model in training segments the volumes of a dataset.
public struct DatasetValidation: Sendable {
  /// Which cases are used, for whoever is told of it.
  public let summary: String
  private let file: DatasetFile
  /// By how much the boxes that the model is given are larger; nil when it is given none.
  private let boxRelaxation: Double?
  private let cases: [Int]
  private let surveys: [CaseSurvey?]
  private let classes: Int
  private let slices: Int

  /// Looks at every number of every case that is validated with.
  ///
  /// - Parameters:
  ///   - file: its validation cases are used; without any its test cases, else all.
  ///   - boxRelaxation: makes boxes that the model is given larger; nil when it is given none.
  /// - Throws: `TrainingError` with code `dataMismatch` or `noSamples`; `DatasetError` with code
  ///   `labelOutOfRange` or `notFinite`; `FormatError`.
  public init(
    _ file: DatasetFile, for model: Architecture, slices: Int, boxRelaxation: Double? = nil,
    progress: @escaping ProgressHandler = { _ in }
  ) throws {
    self.file = file
    self.boxRelaxation = boxRelaxation
    self.slices = slices
    classes = model.decoder.maskTokens
    (cases, summary) = Self.choice(file)
    try Self.check(cases.map { file.cases[$0] }, file, model)
    surveys = try CaseSurvey.of(cases, in: file, progress: progress)
    guard surveys.contains(where: { $0?.extent != nil }) else {
      throw TrainingError(
        .noSamples, file: file.path,
        expected: "cases to validate with that have something labelled",
        found: "background alone in \(cases.count)")
    }
  }

  /// The SHA-256 of everything that the cases hold.
  public var digest: String { CaseSurvey.digest(of: surveys, in: file) }

  private static func choice(_ file: DatasetFile) -> (cases: [Int], summary: String) {
    let choices: [(name: String, split: DatasetSplit)] = [
      ("validation cases", .validation), ("test cases", .test),
    ]
    for choice in choices {
      let cases = file.cases.indices.filter { file.cases[$0].split == choice.split }
      if !cases.isEmpty { return (cases, "\(cases.count) \(choice.name)") }
    }
    return (
      Array(file.cases.indices),
      "all \(file.cases.count) cases, as none is set apart for validation or test"
    )
  }

  private static func check(
    _ cases: [DatasetCase], _ file: DatasetFile, _ model: Architecture
  ) throws {
    guard !cases.isEmpty else {
      throw TrainingError(.noSamples, file: file.path, expected: "cases to validate with")
    }
    guard file.classNames.count == model.classes else {
      throw TrainingError(
        .dataMismatch, file: file.path, subject: "classes", expected: "\(model.classes)",
        found: "\(file.classNames.count)")
    }
    let size = model.imageSize ?? 0
    if let odd = cases.first(where: { ($0.height, $0.width) != (size, size) }) {
      throw TrainingError(
        .dataMismatch, file: file.path, subject: odd.name, expected: "\(size) × \(size) pixels",
        found: "\(odd.height) × \(odd.width)")
    }
  }

  /// The mean over cases and classes of Dice, where either has any.
  ///
  /// Every slice is segmented once, in stacks that follow one another. A prompted model is given the
  /// box around each case's labels, relaxed and not jittered; what it does not reach is background.
  /// - Throws: what reading the data throws.
  public func meanDice(_ model: SegmentAnything) throws -> Double {
    var values: [Double] = []
    for item in cases {
      var counts = [(overlap: Int, both: Int)](repeating: (0, 0), count: classes)
      for start in stride(from: 0, to: file.cases[item].slices, by: slices) {
        try count(item, start, model, into: &counts)
      }
      values += counts.dropFirst().filter { $0.both > 0 }.map {
        2 * Double($0.overlap) / Double($0.both)
      }
    }
    return values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
  }

  /// The slices of a case that the model is asked for, with the box that it is given.
  private func prompt(_ item: Int) -> (slices: ClosedRange<Int>, box: Prompts.Box?)? {
    let volume = file.cases[item]
    guard let boxRelaxation else { return (0...volume.slices - 1, nil) }
    guard let extent = surveys[item]?.extent else { return nil }
    let box = extent.box(
      relaxedBy: boxRelaxation, jitter: 0, width: volume.width, height: volume.height,
      RandomStream(seed: 0, name: "no jitter"))
    return (extent.slices(relaxedBy: boxRelaxation, of: volume.slices), Prompts.Box(box))
  }

  private func count(
    _ item: Int, _ start: Int, _ model: SegmentAnything,
    into counts: inout [(overlap: Int, both: Int)]
  ) throws {
    let volume = file.cases[item]
    // Where the box does not reach nothing is labelled either, so there is nothing to count.
    guard let prompt = prompt(item) else { return }
    let chosen = (start..<min(start + slices, volume.slices)).filter(prompt.slices.contains)
    guard !chosen.isEmpty else { return }
    // The last stack may reach beyond the volume with its end, not with its middle.
    let centre = min(start + slices / 2, volume.slices - 1)
    let first = centre - slices / 2
    let stack = try file.readStack(case: item, centre: centre, slices: slices)
    let images = Tensor(stack.images, shape: [slices, 3, volume.height, volume.width])
    let boxes = prompt.box.map { [Prompts.Box](repeating: $0, count: slices) }
    let logits = model(images, slices: slices, boxes: boxes).masks
    let size = (height: logits.shape[2], width: logits.shape[3])
    let labels = LabelMaps.resized(
      stack.labels, from: (height: volume.height, width: volume.width), to: size)
    for slice in chosen.map({ $0 - first }) { count(logits[slice], labels, slice, into: &counts) }
  }

  /// Compares one slice's logits [classes, height, width] with its labels.
  private func count(
    _ logits: Tensor, _ labels: [UInt8], _ slice: Int,
    into counts: inout [(overlap: Int, both: Int)]
  ) {
    let plane = logits.shape[1] * logits.shape[2]
    for pixel in 0..<plane {
      var best = 0
      for index in 1..<classes
      where logits.pointer[index * plane + pixel] > logits.pointer[best * plane + pixel] {
        best = index
      }
      let label = Int(labels[slice * plane + pixel])
      counts[best].both += 1
      counts[label].both += 1
      if best == label { counts[best].overlap += 1 }
    }
    withExtendedLifetime(logits) {}
  }
}
