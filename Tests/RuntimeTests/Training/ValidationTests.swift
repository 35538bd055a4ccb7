import Datasets
import Demonstration
import Networks
import TestSupport
import Testing

@testable import Surgery
@testable import Training

/// What a model in training is measured by.
struct ValidationTests {
  private let directory: TemporaryDirectory
  private let model: SegmentAnything

  init() throws {
    directory = try TemporaryDirectory()
    let plan = try SAMForm.small.random(seed: 1, toolVersion: "1").applying(
      InjectFactors(kind: .tt, rank: 4, seed: 1),
      SwapDecoder(kind: .sam, classes: 2, seed: 1), SetSlices(count: 3))
    model = try SegmentAnything(plan, path: "small")
  }

  private typealias Item = DatasetFixture.Item

  private func validation(
    _ items: [Item], boxRelaxation: Double? = nil, classes: Int = 2
  ) throws -> DatasetValidation {
    let file = try DatasetFixture.write(items, classes: classes, to: directory.file("data.h5"))
    return try DatasetValidation(
      file, for: model.architecture, slices: 3, boxRelaxation: boxRelaxation)
  }

  private static let inside = (20...40, 20...40, 1...2)

  @Test func `cases are chosen by their split, which is told`() throws {
    let size = model.architecture.imageSize ?? 0
    let item = { (split: DatasetSplit) in Item(split: split, side: size) }
    #expect(
      try validation([item(.train), item(.validation), item(.test)]).summary
        == "1 validation cases")
    #expect(try validation([item(.train), item(.test), item(.test)]).summary == "2 test cases")
    #expect(try validation([item(.train)]).summary.hasPrefix("all 1 cases"))
  }

  @Test func `a prompted model is validated with boxes`() throws {
    let size = model.architecture.imageSize ?? 0
    let items = [Item(slices: 5, side: size, foreground: Self.inside)]
    let plain = try validation(items).meanDice(model)
    let prompted = try validation(items, boxRelaxation: 0).meanDice(model)
    #expect(plain != prompted && (0...1).contains(plain) && (0...1).contains(prompted))
    // Beyond the box nothing is asked: what the model would find there cannot count against it.
    let long = [Item(slices: 50, side: size, foreground: Self.inside)]
    #expect(try validation(long, boxRelaxation: 0).meanDice(model) == prompted)
  }

  @Test func `data that cannot be validated with are refused at once`() throws {
    let size = model.architecture.imageSize ?? 0
    let number = #expect(throws: DatasetError.self) {
      try validation([Item(side: size, intensity: .infinity)])
    }
    #expect(number?.code == .notFinite)
    let nothing = #expect(throws: TrainingError.self) {
      try validation([Item(side: size, foreground: nil)])
    }
    #expect(nothing?.code == .noSamples)
    let other = #expect(throws: TrainingError.self) { try validation([Item(side: 16)]) }
    #expect(other?.code == .dataMismatch)
    let classes = #expect(throws: TrainingError.self) { try validation([Item()], classes: 3) }
    #expect(classes?.code == .dataMismatch)
  }
}
