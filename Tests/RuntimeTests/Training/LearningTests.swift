import Datasets
import Demonstration
import Formats
import Networks
import Numerics
import Support
import TestSupport
import Testing

@testable import Surgery
@testable import Training

/// Tiny models that have to learn something.
@Suite(.serialized)
struct LearningTests {
  /// A small MA-SAM of 64 pixels, all of it random and all of it trained.
  private func model(
    classes: Int = 2, slices: Int = 5, adapters: InjectAdapters.Placement = .both
  ) throws -> SegmentAnything {
    let plan = try SAMForm.small.random(seed: 1, toolVersion: "1").applying(
      InjectFactors(kind: .tt, rank: 4, seed: 1),
      InjectAdapters(
        channels: 32, placement: adapters, start: adapters == .none ? .zero : .masam, seed: 1),
      SwapDecoder(kind: .progressive, classes: classes, seed: 1), SetSlices(count: slices))
    return try SegmentAnything(plan, path: "small", factors: .beside, trains: { _ in true })
  }

  private func train(
    _ model: SegmentAnything, on source: some BatchSource, steps: Int, warmup: Int = 20
  ) throws {
    var configuration = TrainingConfiguration()
    try configuration.apply([
      (key: "steps", values: ["\(steps)"]), (key: "lr", values: ["1e-3"]),
      (key: "warmup", values: ["\(warmup)"]), (key: "lr-exponent", values: ["0.9"]),
    ])
    let schedule = configuration.plan(batches: source.batchesPerEpoch).schedule
    let trainer = Trainer(model, configuration, schedule: schedule)
    for step in 0..<steps { _ = try trainer.step(step, batches: step..<step + 1, from: source) }
  }

  @Test func `organs are found in volumes that were held out`() throws {
    let directory = try TemporaryDirectory()
    let splits = [DatasetSplit](repeating: .train, count: 24) + [.test, .test, .test, .test]
    let file = try dataset(splits, at: directory.file("ellipsoids.h5"))
    var configuration = TrainingConfiguration()
    try configuration.apply([("augment", ["none"]), ("batch-size", ["4"])])
    let source = try DatasetBatches(
      file, configuration, for: .init(classes: 3, imageSize: 64, slices: 5))
    let model = try model()
    let validation = try DatasetValidation(file, for: model.architecture, slices: 5)
    #expect(try validation.meanDice(model) < 0.5)
    // So many that roundings, which other ways to calculate the same change, do not decide: 0.93 for all.
    try train(model, on: source, steps: 1000, warmup: 100)
    let dice = try validation.meanDice(model)
    #expect(dice >= 0.9)
  }

  private func dataset(_ splits: [DatasetSplit], at path: String) throws -> DatasetFile {
    let volumes = splits.indices.map { SyntheticVolume(seed: UInt64($0)) }
    let cases = zip(splits, volumes).enumerated().map { place, item in
      DatasetCase(
        name: "volume\(place)", split: item.0, slices: item.1.slices, channels: 1,
        height: item.1.side, width: item.1.side, normalisation: .none,
        geometry: DatasetGeometry(
          shape: [item.1.side, item.1.side, item.1.slices], spacing: [1, 1, 1],
          affine: Affine(diagonal: [1, 1, 1])),
        sources: [DatasetSource(name: "synthetic", digest: "\(place)")])
    }
    let description = DatasetDescription(
      classNames: ["bright", "dark"], profile: "{}", cases: cases)
    try DatasetWriter(description, toolVersion: "1").write(to: path, overwrite: true) { index in
      DatasetWriter.Slices(
        image: { volumes[index].images[$0] }, labels: { volumes[index].labels[$0] })
    }
    return try DatasetFile(path: path)
  }

  /// Stacks of three slices with a disc, of which the middle one is labelled: the disc is of class 1
  /// where the slice before is the lighter one, of class 2 where the slice after is.
  private struct Marks: BatchSource {
    let batchesPerEpoch = 1000
    static let (side, slices, stacks) = (64, 3, 8)

    func batch(step: Int) -> TrainingBatch {
      var random = SeededGenerator(seed: UInt64(step))
      var (images, labels) = ([Float](), [Int16]())
      for _ in 0..<Self.stacks {
        let isFirst = Bool.random(using: &random)
        let centre = (
          x: Int.random(in: 24...40, using: &random), y: Int.random(in: 28...36, using: &random)
        )
        for slice in 0..<Self.slices {
          let isMarked = slice == (isFirst ? 0 : Self.slices - 1)
          let isMiddle = slice == Self.slices / 2
          var plane = [Float](repeating: isMarked ? 0.6 : 0.2, count: Self.side * Self.side)
          var map = [Int16](repeating: isMiddle ? 0 : -100, count: plane.count)
          for index in plane.indices {
            let (x, y) = (index % Self.side, index / Self.side)
            let distance = (x - centre.x) * (x - centre.x) + (y - centre.y) * (y - centre.y)
            if distance <= 18 * 18 {
              plane[index] = 0.8
              if isMiddle { map[index] = isFirst ? 1 : 2 }
            }
          }
          for _ in 0..<3 { images += plane }
          labels += map
        }
      }
      let shape = [Self.stacks, Self.slices, 3, Self.side, Self.side]
      return TrainingBatch(images: Tensor(images, shape: shape), labels: labels)
    }
  }

  @Test(arguments: [true, false])
  func `what only neighbouring slices tell takes adapters`(hasAdapters: Bool) throws {
    let model = try model(slices: 3, adapters: hasAdapters ? .both : .none)
    try train(model, on: Marks(), steps: 250)
    var counts = [(overlap: Int, both: Int)](repeating: (0, 0), count: 3)
    for step in 5000..<5008 { count(model, Marks().batch(step: step), into: &counts) }
    let dice = counts.dropFirst().map { 2 * Double($0.overlap) / Double(max(1, $0.both)) }
    if hasAdapters {
      #expect(dice.allSatisfy { $0 >= 0.9 }, "\(dice)")
    } else {
      // Half of the discs right and the other half wrong is a Dice of one half.
      #expect(dice.reduce(0, +) / 2 <= 0.6, "\(dice)")
    }
  }

  private func count(
    _ model: SegmentAnything, _ batch: TrainingBatch, into counts: inout [(overlap: Int, both: Int)]
  ) {
    let shape = batch.images.shape
    let logits = model(
      batch.images.reshaped(to: [shape[0] * shape[1]] + shape.dropFirst(2)), slices: shape[1]
    ).masks
    let (classes, plane) = (logits.shape[1], logits.shape[2] * logits.shape[3])
    let values = logits.values
    for place in batch.labels.indices where batch.labels[place] >= 0 {
      let (image, pixel) = (place / plane, place % plane)
      let scores = (0..<classes).map { values[(image * classes + $0) * plane + pixel] }
      let best = scores.indices.max { scores[$0] < scores[$1] } ?? 0
      let label = Int(batch.labels[place])
      counts[best].both += 1
      counts[label].both += 1
      if best == label { counts[best].overlap += 1 }
    }
  }
}
