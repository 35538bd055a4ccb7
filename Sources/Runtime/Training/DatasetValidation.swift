import Datasets
import Networks
import Numerics
import Surgery

/// How well a model in training segments the volumes of a dataset.
public struct DatasetValidation: Sendable {
  private let file: DatasetFile
  private let cases: [Int]
  private let classes: Int
  private let slices: Int

  /// - Parameter file: its validation cases are used; without any its test cases, else all.
  /// - Throws: `TrainingError` with code `dataMismatch` or `noSamples`.
  public init(_ file: DatasetFile, for model: Architecture, slices: Int) throws {
    self.file = file
    self.slices = slices
    classes = model.decoder.maskTokens
    let bySplit = { (split: DatasetSplit) in
      file.cases.indices.filter { file.cases[$0].split == split }
    }
    let choices = [bySplit(.validation), bySplit(.test), Array(file.cases.indices)]
    cases = choices.first { !$0.isEmpty } ?? []
    guard !cases.isEmpty else {
      throw TrainingError(.noSamples, file: file.path, expected: "cases to validate with")
    }
    guard file.classNames.count + 1 == classes else {
      throw TrainingError(
        .dataMismatch, file: file.path, subject: "classes", expected: "\(classes - 1)",
        found: "\(file.classNames.count)")
    }
    let size = model.imageSize ?? 0
    if let odd = cases.map({ file.cases[$0] }).first(where: {
      ($0.height, $0.width) != (size, size)
    }) {
      throw TrainingError(
        .dataMismatch, file: file.path, subject: odd.name, expected: "\(size) × \(size) pixels",
        found: "\(odd.height) × \(odd.width)")
    }
  }

  /// The mean over cases and classes of Dice, where either has any.
  ///
  /// Every slice is segmented once, in stacks that follow one another.
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

  private func count(
    _ item: Int, _ start: Int, _ model: SegmentAnything,
    into counts: inout [(overlap: Int, both: Int)]
  ) throws {
    let volume = file.cases[item]
    // The last stack may reach beyond the volume with its end, not with its middle.
    let centre = min(start + slices / 2, volume.slices - 1)
    let first = centre - slices / 2
    let stack = try file.readStack(case: item, centre: centre, slices: slices)
    let images = Tensor(stack.images, shape: [slices, 3, volume.height, volume.width])
    let logits = model(images, slices: slices).masks
    let size = (height: logits.shape[2], width: logits.shape[3])
    let labels = LabelMaps.resized(
      stack.labels, from: (height: volume.height, width: volume.width), to: size)
    let plane = size.height * size.width
    for slice in (start..<min(start + slices, volume.slices)).map({ $0 - first }) {
      let base = logits.pointer + slice * classes * plane
      for pixel in 0..<plane {
        var best = 0
        for index in 1..<classes where base[index * plane + pixel] > base[best * plane + pixel] {
          best = index
        }
        let label = Int(labels[slice * plane + pixel])
        counts[best].both += 1
        counts[label].both += 1
        if best == label { counts[best].overlap += 1 }
      }
    }
    withExtendedLifetime(logits) {}
  }
}
