import TestSupport
import Testing

@testable import Datasets
@testable import Formats
@testable import Inference
@testable import Networks

@Suite("Boxes in three dimensions")
struct BoxTests {
  private func volume(_ shape: [Int], _ voxels: [UInt8]) -> Volume {
    Volume(path: "volume", shape: shape, dtype: .uint8, voxels: voxels)
  }

  /// 11×9×6 with one block of labels.
  private func labels() throws -> VolumeLabels {
    var voxels = [UInt8](repeating: 0, count: 11 * 9 * 6)
    for z in 2...3 {
      for y in 1...4 { for x in 5...7 { voxels[(z * 9 + y) * 11 + x] = UInt8(x) } }
    }
    return try VolumeLabels(volume([11, 9, 6], voxels))
  }

  private func scan() throws -> VolumeScan {
    try VolumeScan(volume([11, 9, 6], [UInt8](repeating: 1, count: 594)))
  }

  @Test func `the box around labels is the smallest, and relaxes within the scan`() throws {
    let box = try #require(try Box3D(around: labels()))
    #expect(box == Box3D(lower: [5, 1, 2], upper: [7, 4, 3]))
    let relaxed = try box.relaxed(by: 0.5, in: scan())
    #expect(relaxed == Box3D(lower: [3.5, 0, 1], upper: [8.5, 6, 4]))
    #expect(relaxed.slices == 1...4)
    let empty = try VolumeLabels(volume([2, 2, 2], [UInt8](repeating: 0, count: 8)))
    #expect(try Box3D(around: empty) == nil)
  }

  @Test func `a prompt is in pixels of the model's input, turned as the slices are`() throws {
    let box = Box3D(lower: [5, 1, 2], upper: [7, 4, 3])
    let plain = try box.prompt(in: scan(), .image, size: 101)
    #expect([plain.left, plain.top, plain.right, plain.bottom] == [50, 12.5, 70, 50])
    let turned = try box.prompt(in: scan(), .masam, size: 101)
    #expect([turned.left, turned.top, turned.right, turned.bottom] == [30, 50, 50, 87.5])
  }

  @Test func `beyond the box nothing is asked and everything is background`() throws {
    let model = StubModel(imageSize: 8, classCount: 2) { _, label, _ in Float(label) }
    let options = PredictionOptions(window: 3, keepsProbabilities: true)
    let predictions = try Predictor(model, orientation: .masam, options: options).start(
      scan(), rule: IntensityRule(normalise: .none),
      box: Box3D(lower: [5, 1, 2], upper: [7, 4, 3]))
    var found: [UInt8] = []
    while let slice = try predictions.next() {
      #expect(Set(slice.labels).count == 1)
      found.append(slice.labels[0])
      let total = slice.probabilities[0] + slice.probabilities[99]
      #expect(abs(total - 1) < 1e-6)
    }
    #expect(found == [0, 0, 1, 1, 0, 0])
    // The windows in the middle of slices 1 to 4 see slice 2 or 3.
    #expect(model.calls.boxes.withLock { $0.count { $0 != nil } } == 4)
  }

  @Test func `a box that leaves the scan is refused`() throws {
    let model = StubModel.identity(size: 8, classes: 2)
    let predictor = Predictor(model, orientation: .image, options: PredictionOptions())
    for box in [
      Box3D(lower: [0, 0, 0], upper: [11, 1, 1]), Box3D(lower: [0, 0, 6], upper: [1, 1, 6]),
    ] {
      let error = #expect(throws: DatasetError.self) {
        _ = try predictor.start(scan(), rule: IntensityRule(normalise: .none), box: box)
      }
      #expect(error?.code == .badBox)
    }
  }

  @Test func `a model's own rules hold, and others are refused`() throws {
    let btcv = try ProfileLibrary.profile("btcv")
    let pancreas = try ProfileLibrary.profile("msd-pancreas")
    #expect(try Profile(carried: btcv.modelText, asked: nil, model: "m").agrees(with: btcv))
    #expect(try Profile(carried: "btcv", asked: btcv, model: "m").agrees(with: btcv))
    #expect(try Profile(carried: nil, asked: pancreas, model: "m") == pancreas)
    let none = #expect(throws: DatasetError.self) {
      try Profile(carried: nil, asked: nil, model: "m")
    }
    #expect(none?.code == .noProfile)
    let other = #expect(throws: DatasetError.self) {
      try Profile(carried: btcv.modelText, asked: pancreas, model: "m")
    }
    #expect(other?.code == .differentProfile)
    #expect(throws: DatasetError.self) {
      try Profile(carried: "{intensity: 5}", asked: nil, model: "m")
    }
  }
}
