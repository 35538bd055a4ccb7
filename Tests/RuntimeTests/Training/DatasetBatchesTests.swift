import Augmentation
import Datasets
import Formats
import Networks
import Numerics
import Support
import TestSupport
import Testing

@testable import Training

/// Datasets of small cases whose every pixel tells where it is from.
struct DatasetBatchesTests {
  static let side = DatasetFixture.side
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private typealias Item = DatasetFixture.Item

  private func file(_ items: [Item], classes: Int = 2) throws -> DatasetFile {
    try DatasetFixture.write(items, classes: classes, to: directory.file("data.h5"))
  }

  private func source(
    _ file: DatasetFile, _ settings: TrainingConfiguration.Settings = [], slices: Int = 3,
    classes: Int = 3, size: Int = side
  ) throws -> DatasetBatches {
    var configuration = TrainingConfiguration()
    try configuration.apply([("augment", ["none"]), ("batch-size", ["3"])] + settings)
    return try DatasetBatches(
      file, configuration, for: .init(classes: classes, imageSize: size, slices: slices))
  }

  private func bits(_ batch: TrainingBatch) -> [UInt32] {
    let boxes = (batch.boxes ?? []).flatMap { [$0.left, $0.top, $0.right, $0.bottom] }
    let numbers = batch.images.values + batch.labels.map { Float($0) } + boxes
    return numbers.map(\.bitPattern)
  }

  @Test func `an epoch sees every slice of every training case once`() throws {
    let items = [Item(), Item(split: .test), Item(slices: 6), Item(split: .validation)]
    let source = try source(file(items))
    #expect(source.batchesPerEpoch == 4)
    var orders: [[DatasetBatches.Sample]] = []
    for epoch in 0..<3 {
      let batches = (0..<4).map { source.samples(ofBatch: 4 * epoch + $0) }
      #expect(batches.map(\.count) == [3, 3, 3, 1])
      orders.append(batches.flatMap { $0 })
    }
    for order in orders {
      let names = order.map { "\($0.item).\($0.slice)" }
      #expect(
        names.sorted() == (0..<4).map { "0.\($0)" } + (0..<6).map { "2.\($0)" })
    }
    #expect(orders[0] != orders[1] && orders[1] != orders[2])
  }

  @Test func `another seed is another order`() {
    let first = Permutation.indices(50, seed: 1, epoch: 0)
    #expect(first == Permutation.indices(50, seed: 1, epoch: 0))
    #expect(first.sorted() == Array(0..<50))
    #expect(first != Permutation.indices(50, seed: 2, epoch: 0))
    #expect(Permutation.indices(1, seed: 1, epoch: 0) == [0])
  }

  @Test func `every order is as probable as another`() {
    var counts: [[Int]: Int] = [:]
    for epoch in 0..<6000 {
      counts[Permutation.indices(3, seed: 5, epoch: epoch), default: 0] += 1
    }
    // Six orders of 1000 each, whose deviation is 29.
    #expect(counts.count == 6 && counts.values.allSatisfy { abs($0 - 1000) < 150 })
  }

  @Test(arguments: [1, 3]) func `a batch holds the stacks of its samples`(
    _ channels: Int
  ) throws {
    let source = try source(file([Item(channels: channels), Item(slices: 5, channels: channels)]))
    let plane = Self.side * Self.side
    for step in 0..<source.batchesPerEpoch {
      let (batch, samples) = (try source.batch(step: step), source.samples(ofBatch: step))
      #expect(batch.images.shape == [samples.count, 3, 3, Self.side, Self.side])
      #expect(batch.boxes == nil)
      for (place, sample) in samples.enumerated() {
        let count = sample.item == 0 ? 4 : 5
        for slice in 0..<3 {
          let origin = min(max(sample.slice + slice - 1, 0), count - 1)
          for channel in 0..<3 {
            let value = batch.images[place][slice][channel].values[plane / 2]
            let base = sample.item * 50 + origin * 5
            #expect(value == Float(base + (channels == 3 ? channel : 0)) / 255)
          }
          let labels = batch.labels[(3 * place + slice) * plane..<(3 * place + slice + 1) * plane]
          #expect(labels.reduce(0) { $0 + Int($1) } == ((1...2).contains(origin) ? 64 : 0))
        }
      }
    }
  }

  @Test(arguments: [[], [("prompt", ["box3d"])]] as [TrainingConfiguration.Settings])
  func `a batch depends on its number alone`(_ settings: TrainingConfiguration.Settings) throws {
    let file = try file([Item(), Item(slices: 6)])
    let settings = settings + [("augment", ["masam"])]
    let (first, second) = (try source(file, settings), try source(file, settings))
    let straight = try (0..<8).map { bits(try first.batch(step: $0)) }
    for step in [7, 2, 0, 5] { #expect(try bits(second.batch(step: step)) == straight[step]) }
    let other = try source(file, settings + [("seed", ["9"])])
    #expect(try (0..<8).contains { bits(try other.batch(step: $0)) != straight[$0] })
    // The same stacks in another epoch are changed in another way.
    #expect(Set(straight).count == straight.count)
  }

  @Test func `a box lies around the foreground of its case`() throws {
    let settings: TrainingConfiguration.Settings = [
      ("prompt", ["box3d"]), ("box-relax", ["0"]), ("box-jitter", ["0"]),
    ]
    let source = try source(file([Item(), Item(foreground: nil)]), settings)
    // Slices 1 and 2 of the first case alone: elsewhere there is nothing to point at.
    #expect(source.samples == [.init(item: 0, slice: 1), .init(item: 0, slice: 2)])
    let boxes = try #require(try source.batch(step: 0).boxes)
    #expect(boxes.count == 6)
    for box in boxes {
      #expect([box.left, box.top, box.right, box.bottom] == [3, 5, 6, 12])
    }
  }

  @Test func `a box is relaxed by a part of its extent and stays in the slice`() throws {
    let relaxed = try source(
      file([Item()]), [("prompt", ["box3d"]), ("box-relax", ["0.5"]), ("box-jitter", ["0"])])
    #expect(relaxed.samples.map(\.slice) == [0, 1, 2, 3])
    let box = try #require(try relaxed.batch(step: 0).boxes?.first)
    #expect([box.left, box.top, box.right, box.bottom] == [1, 1, 8, 15])
  }

  @Test func `the sides of a box move within their bound, each for itself`() throws {
    let extent = try #require(try CaseSurvey(of: 0, in: file([Item()])).extent)
    var lefts: [Float] = []
    for step in 0..<200 {
      let stream = RandomStream(seed: 1, name: "test", step: UInt32(step))
      let box = extent.box(relaxedBy: 0, jitter: 0.25, width: 16, height: 16, stream)
      #expect((2...4).contains(box.x0) && (6...8).contains(box.x1))
      #expect((3...7).contains(box.y0) && (11...15).contains(box.y1))
      lefts.append(box.x0)
    }
    #expect((lefts.min() ?? 9) < 2.2 && (lefts.max() ?? 0) > 3.8)
  }

  @Test func `data that do not fit the model are refused`() throws {
    let good = try file([Item()])
    let classes = #expect(throws: TrainingError.self) { try source(good, classes: 9) }
    #expect(classes?.code == .dataMismatch && classes?.subject == "classes")
    let size = #expect(throws: TrainingError.self) { try source(good, size: 32) }
    #expect(size?.code == .dataMismatch && size?.subject == "case0")
    // A case that is not trained on may have any size.
    _ = try source(file([Item(), Item(split: .test, side: 20)]))
    let empty = #expect(throws: TrainingError.self) { try source(file([Item(split: .test)])) }
    #expect(empty?.code == .noSamples)
    for prompt in ["auto", "box3d"] {
      let plain = #expect(throws: TrainingError.self) {
        try source(file([Item(foreground: nil)]), [("prompt", [prompt])])
      }
      #expect(plain?.code == .noSamples)
    }
  }

  @Test func `a label that no class has is refused before the first batch`() throws {
    let bad = try file([Item()], classes: 1)
    let error = #expect(throws: DatasetError.self) { try source(bad, classes: 2) }
    #expect(error?.code == .labelOutOfRange)
  }

  @Test func `an intensity that is no number is refused before the first batch`() throws {
    let bad = try file([Item(), Item(intensity: .nan)])
    let error = #expect(throws: DatasetError.self) { try source(bad) }
    #expect(error?.code == .notFinite && error?.subject == "case1")
  }

  @Test func `data are told apart by every number that is trained on`() throws {
    let digest = { (items: [Item]) in try source(file(items)).digest }
    let first = try digest([Item(), Item(split: .test)])
    #expect(try digest([Item(), Item(split: .test, intensity: 0.5)]) == first)
    #expect(try digest([Item(intensity: 0.5), Item(split: .test)]) != first)
    #expect(
      try digest([Item(foreground: (3...6, 5...12, 1...3)), Item(split: .test)]) != first)
  }
}
