import Foundation
import Support
import TestSupport
import Testing

@testable import Datasets
@testable import Formats
@testable import Inference
@testable import Networks
@testable import Numerics

@Suite("Prediction")
struct PredictionTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static let fixtures = Fixtures.path("volumes")

  /// Four classes as intensities from 0 to 3.
  private static let rule = IntensityRule(
    clip: .init(lower: 0, upper: 3), normalise: .volume)

  static let grids: [String] =
    ((try? FolderListing(fixtures).files) ?? []).filter {
      $0.hasPrefix("axes_")
        || ["quaternion.nii", "extended_v1.nii", "extended_v2.nii"].contains($0)
    } + ["extended_big.nii", "packed_v1.nii.gz", "pair.hdr"]

  @Test func `there are all orientations`() { #expect(Self.grids.count == 54) }

  @Test(arguments: grids) func `an identity model puts labels where they were`(
    name: String
  ) throws {
    let source = try Volume(contentsOf: Fixtures.path("volumes/" + name))
    // No symmetry of the grid maps it to itself.
    let labels = (0..<source.count).map { (place: Int) -> UInt8 in
      UInt8((place * place + place / 3) % 4)
    }
    let scanPath = directory.file("scan.nii.gz")
    try source.template.write(
      labels: labels, shape: source.shape, to: scanPath, overwrite: false)
    let scan = try VolumeScan(Volume(contentsOf: scanPath))
    // Every old sample is one of the new ones: extents of 1 to 7 less one divide sixty.
    let model = StubModel.identity(size: 61, classes: 4)
    for orientation in Orientation.allCases {
      let path = directory.file("\(orientation.rawValue).nii.gz")
      let predictor = Predictor(
        model, orientation: orientation, options: PredictionOptions(window: 3))
      let outcome = try CasePrediction(
        predictor, classNames: ["a", "b", "c"], target: .volume(path), overwrite: false
      ).run(scan, rule: Self.rule, box: nil, preview: nil, progress: { _ in })
      let written = try Volume(contentsOf: path)
      #expect(try written.labels() == labels)
      #expect(written.affine == source.affine && written.spacing == source.spacing)
      #expect(written.template == scan.volume.template)
      #expect(outcome.voxels == (0..<4).map { label in labels.count { $0 == label } })
    }
  }

  /// Slices whose intensities are their own numbers, 8 by 6.
  private func scan(slices: Int) throws -> VolumeScan {
    let numbers = (0..<48 * slices).map { Float($0 / 48) + Float($0 % 48) / 100 }
    return try VolumeScan(
      Volume(path: "scan", shape: [8, 6, slices], dtype: .float32, voxels: bytes(of: numbers)))
  }

  @Test(arguments: [1, 2, 5, 9], [(1, 1), (3, 1), (5, 1), (5, 5), (4, 2), (4, 1), (7, 3)])
  func `every slice is the mean of the windows that see it`(
    slices: Int, cut: (window: Int, stride: Int)
  ) throws {
    let scan = try scan(slices: slices)
    let logit: @Sendable (Float, Int, Int) -> Float = { intensity, label, place in
      Float(label) * (intensity / 3 - Float(place) / 2)
    }
    let model = StubModel(imageSize: 8, classCount: 3, logit: logit)
    let options = PredictionOptions(
      window: cut.window, stride: cut.stride, keepsProbabilities: true)
    let predictions = try Predictor(model, orientation: .image, options: options)
      .start(scan, rule: IntensityRule(normalise: .none))
    let zoom = SplineZoom(height: 6, width: 8, newHeight: 8, newWidth: 8)
    let starts = SlicePredictions.starts(options, slices: slices)
    for slice in 0..<slices {
      let found = try #require(try predictions.next())
      #expect(predictions.liveSlices < cut.window)
      // The first row and column are samples of the original.
      let input = Float(zoom(try scan.plane(slice).map(Double.init))[0])
      let places = starts.map { slice - $0 }.filter { (0..<cut.window).contains($0) }
      #expect(cut.stride > 1 || places.count <= cut.window && !places.isEmpty)
      for label in 0..<3 {
        let mean =
          places.reduce(Float(0)) { sum, place in
            let powers = (0..<3).map { Foundation.exp(logit(input, $0, place)) }
            return sum + powers[label] / powers.reduce(0, +)
          } / Float(places.count)
        #expect(abs(found.probabilities[label * 48] - mean) < 1e-5)
      }
    }
    #expect(try predictions.next() == nil)
  }

  @Test func `windows cover every slice, in order, whatever their length and stride`() {
    for slices in 1...14 {
      for window in 1...9 {
        for stride in 1...window {
          let starts = SlicePredictions.starts(
            PredictionOptions(window: window, stride: stride), slices: slices)
          #expect(starts == starts.sorted() && Set(starts).count == starts.count)
          let covered = Set(starts.flatMap { $0..<$0 + window })
          #expect(covered.isSuperset(of: 0..<slices), "\(slices) \(window) \(stride)")
          if stride == 1 { #expect(starts.map { $0 + window / 2 } == Array(0..<slices)) }
        }
      }
    }
  }

  @Test func `the published window is normalised by its own extremes`() throws {
    let scan = try scan(slices: 7)
    let model = StubModel(imageSize: 8, classCount: 2) { intensity, label, _ in
      (0...1).contains(intensity) ? Float(label) * intensity : .nan
    }
    let options = PredictionOptions(window: 3, keepsProbabilities: true)
    let predictions = try Predictor(model, orientation: .image, options: options)
      .start(scan, rule: IntensityRule(normalise: .stack))
    while let slice = try predictions.next() {
      #expect(slice.probabilities.allSatisfy { $0.isFinite })
    }
    let flat = try VolumeScan(
      Volume(
        path: "flat", shape: [4, 4, 2], dtype: .float32,
        voxels: bytes(of: [Float](repeating: 7, count: 32))))
    let constant = try Predictor(model, orientation: .masam, options: options)
      .start(flat, rule: IntensityRule(normalise: .stack))
    #expect(try constant.next()?.probabilities.first == 0.5)
  }

  @Test func `one window of one stack is what PyTorch computes of it`() throws {
    let golden = GoldenModel(name: "masam-tt")
    let network = try golden.model(factors: .folded)
    guard case .stacks(let stacks, _) = try golden.input(network) else { return }
    let (slices, size) = (stacks.shape[1], stacks.shape[3])
    let expected = try #require(try golden.golden()["low_res_logits"])
    let scan = StackScan(stack: stacks.values, slices: slices, size: size)
    let options = PredictionOptions(window: slices, stride: slices, keepsProbabilities: true)
    let predictions = try Predictor(
      Segmenter(network, path: "model"), orientation: .image, options: options
    ).start(scan, rule: IntensityRule(normalise: .none))
    let (classes, plane, values) = (expected.shape[1], size * size, expected.values)
    for slice in 0..<slices {
      let found = try #require(try predictions.next())
      for pixel in 0..<plane {
        let logits = (0..<classes).map { values[(slice * classes + $0) * plane + pixel] }
        let powers = logits.map { Foundation.exp($0 - (logits.max() ?? 0)) }
        for label in 0..<classes {
          let probability = powers[label] / powers.reduce(0, +)
          #expect(abs(found.probabilities[label * plane + pixel] - probability) < 1e-4)
        }
      }
    }
  }

  /// A stack of colours as a scan.
  private struct StackScan: Scan {
    let path = "stack"
    let stack: [Float]
    let slices: Int
    let size: Int
    let channels = 3
    let affine = Affine.identity
    let spacing = [1.0, 1, 1]
    var width: Int { size }
    var height: Int { size }

    func plane(_ slice: Int) -> [Float] {
      Array(stack[slice * 3 * size * size..<(slice + 1) * 3 * size * size])
    }
  }

  @Test func `masks of a quarter of the input cover the same square`() {
    // A mask that is the place of its own pixels in the input.
    for (count, input, mask) in [
      (61, 64, 16), (64, 64, 16), (200, 32, 8), (7, 64, 64), (64, 64, 64),
    ] {
      let map = GridMap(
        height: 1, width: count, inputSize: input, maskHeight: 1, maskWidth: mask)
      let scale = Float(input) / Float(mask)
      var places = (0..<mask).map { (Float($0) + 0.5) * scale - 0.5 }
      let (least, most) = (places[0], places[mask - 1])
      let found = places.withUnsafeMutableBufferPointer { buffer in
        map.resolve(
          SharedFloats(base: buffer.baseAddress ?? UnsafeMutablePointer.allocate(capacity: 1)),
          classes: 1, keepsProbabilities: true)
      }
      for (index, value) in found.probabilities.enumerated() {
        let place = Float(index) * Float(input - 1) / Float(count - 1)
        #expect(abs(value - min(max(place, least), most)) < 1e-3, "\(count) \(input) \(mask)")
      }
    }
  }

  @Test func `series and numbers that are none are refused`() throws {
    let series = Volume(
      path: "series", shape: [2, 2, 2, 3], dtype: .uint8,
      voxels: [UInt8](repeating: 0, count: 24))
    let error = #expect(throws: DatasetError.self) { try VolumeScan(series) }
    #expect(error?.code == .faultySource)
    let scan = try VolumeScan(
      Volume(
        path: "nan", shape: [2, 2, 2], dtype: .float32,
        voxels: bytes(of: [0, 1, 2, 3, 4, .nan, 6, 7])))
    let model = StubModel.identity(size: 8, classes: 2)
    let predictions = try Predictor(model, orientation: .image, options: PredictionOptions())
      .start(scan, rule: IntensityRule(normalise: .none))
    let nan = #expect(throws: DatasetError.self) { _ = try predictions.next() }
    #expect(nan?.code == .notFinite && nan?.subject == "slice 1")
  }

  @Test(arguments: [1, 2]) func `a model that gives no numbers is an error, not background`(
    _ stride: Int
  ) throws {
    let scan = try VolumeScan(
      Volume(
        path: "scan", shape: [2, 2, 3], dtype: .float32,
        voxels: bytes(of: [0, 1, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0])))
    var model = StubModel.identity(size: 8, classes: 2)
    model.logit = { intensity, label, place in
      place == 1 && label == 1 && intensity > 0.5 ? .nan : 0
    }
    let predictions = try Predictor(
      model, orientation: .image, options: PredictionOptions(window: 2, stride: stride)
    ).start(scan, rule: IntensityRule(normalise: .none))
    let error = #expect(throws: RuntimeError.self) {
      while try predictions.next() != nil {}
    }
    #expect(error?.code == .notFinite && error?.file == "scan")
  }
}
