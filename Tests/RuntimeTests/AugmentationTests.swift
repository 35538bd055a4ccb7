import Formats
import Support
import TestSupport
import Testing

@testable import Augmentation
@testable import Numerics

/// What Pillow, SciPy and NumPy make of two stacks; make_augmentation_fixtures.py wrote it.
struct AugmentationFixture: Sendable {
  static let kinds = ["grey", "colour"]
  static let operations = [
    "turn", "rotate", "gamma", "shear_x", "shear_y", "scale", "translate_x", "translate_y",
    "posterize", "contrast", "brightness", "sharpness",
  ]

  let file: any Checkpoint

  init() throws { file = try openCheckpoint(Fixtures.path("runtime/augmentation.safetensors")) }

  func place(_ name: String) -> Int? { file.index(of: TensorName(name)) }

  func numbers(_ name: String) throws -> [Float] {
    try Tensor(reading: file, #require(place(name))).values
  }

  func bytes(_ name: String) throws -> [UInt8] { try file.bytes(of: #require(place(name))) }

  func sample(_ kind: String) throws -> AugmentedSample {
    let shape = file.tensors[try #require(place("\(kind)/images"))].shape
    return AugmentedSample(
      images: try numbers("\(kind)/images"), labels: try bytes("labels"), slices: shape[0],
      channels: shape[1], height: shape[2], width: shape[3])
  }

  /// The recorded results of an operation: their names and magnitudes.
  func cases(_ kind: String, _ operation: String) -> [(name: String, magnitudes: [Double])] {
    file.tensors.compactMap { info in
      let parts = info.name.text.split(separator: "@")
      guard parts.first.map(String.init) == "\(kind)/\(operation)", parts.count == 2 else {
        return nil
      }
      let magnitudes = parts[1].split(separator: ",").compactMap { Double($0) }
      return ("\(operation)@\(parts[1])", magnitudes)
    }
  }

  static func step(_ operation: String, _ values: [Double]) -> AugmentationStep? {
    switch operation {
    case "turn": .turnAndFlip(quarters: Int(values[0]), axis: Int(values[1]))
    case "rotate": .rotation(degrees: Int(values[0]))
    case "gamma": .gamma(values[0])
    case "shear_x": .geometric(.shearX, values[0])
    case "shear_y": .geometric(.shearY, values[0])
    case "scale": .geometric(.scale, values[0])
    case "translate_x": .geometric(.translateX, values[0])
    case "translate_y": .geometric(.translateY, values[0])
    case "posterize": .posterise(bits: Int(values[0]))
    case "contrast": .contrast(values[0])
    case "brightness": .brightness(values[0])
    case "sharpness": .sharpness(values[0])
    default: nil
    }
  }
}

private let stream = RandomStream(seed: 1, stream: 2, step: 3, sample: 4)

@Suite("Augmentation")
struct AugmentationTests {
  @Test(arguments: AugmentationFixture.kinds, AugmentationFixture.operations)
  func `an operation gives the reference's bytes`(_ kind: String, _ operation: String) throws {
    let fixture = try AugmentationFixture()
    let cases = fixture.cases(kind, operation)
    #expect(cases.count >= 3)
    for (name, magnitudes) in cases {
      var sample = try fixture.sample(kind)
      let step = try #require(AugmentationFixture.step(operation, magnitudes))
      step.apply(to: &sample, randomness: stream)
      #expect(sample.images == (try fixture.numbers("\(kind)/\(name)")), "\(name)")
      let hasMoved = fixture.place("labels/\(name)") != nil
      #expect(sample.labels == (try fixture.bytes(hasMoved ? "labels/\(name)" : "labels")))
    }
  }

  @Test(arguments: AugmentationFixture.kinds)
  func `many operations follow on each other as in the published program`(
    _ kind: String
  ) throws {
    let fixture = try AugmentationFixture()
    var sample = try fixture.sample(kind)
    let steps: [AugmentationStep] = [
      .turnAndFlip(quarters: 1, axis: 0), .rotation(degrees: -9), .gamma(2.2),
      .geometric(.shearX, 0.11), .contrast(1.21), .identity,
    ]
    for step in steps { step.apply(to: &sample, randomness: stream) }
    #expect(sample.images == (try fixture.numbers("\(kind)/sequence")))
    #expect(sample.labels == (try fixture.bytes("labels/sequence")))
    #expect((sample.height, sample.width) == (27, 21))
  }

  @Test func `erasing fills a rectangle of all slices with the same noise`() throws {
    let before = try AugmentationFixture().sample("colour")
    var sample = before
    sample.erase(Erasure(top: 3, left: 5, rows: 7, columns: 11), stream)
    var noise: Set<Float> = []
    for place in sample.images.indices {
      let (plane, pixel) = (place / sample.pixels, place % sample.pixels)
      let (row, column) = (pixel / sample.width, pixel % sample.width)
      let label = plane / 3 * sample.pixels + pixel
      if 3..<10 ~= row, 5..<16 ~= column {
        noise.insert(sample.images[place])
        #expect(sample.images[place] == sample.images[pixel])
        #expect(sample.labels[label] == 0)
      } else {
        #expect(sample.images[place] == before.images[place])
        #expect(sample.labels[label] == before.labels[label])
      }
    }
    #expect(noise.count == 77)
    #expect(noise.allSatisfy { $0 > 0 && $0 < 1 })
  }

  @Test(arguments: 0..<4, 0..<2)
  func `boxes stay around what they surround when it turns`(_ quarters: Int, _ axis: Int) throws {
    var sample = boxed(AugmentedSample.Box(x0: 3, y0: 5, x1: 9, y1: 17))
    sample.turnAndFlip(quarters: quarters, axis: axis)
    #expect(sample.boxes == [try extent(of: sample)])
  }

  @Test(arguments: -15..<15) func `boxes stay around what they surround when it rotates`(
    _ degrees: Int
  ) throws {
    var sample = boxed(AugmentedSample.Box(x0: 12, y0: 8, x1: 30, y1: 19))
    sample.rotate(degrees: degrees)
    let (box, shape) = (try #require(sample.boxes?.first), try extent(of: sample))
    // A corner pixel may lose or win half of itself to rounding.
    for (found, expected) in [
      (box.x0, shape.x0), (box.y0, shape.y0), (box.x1, shape.x1), (box.y1, shape.y1),
    ] { #expect(abs(found - expected) <= 1) }
  }

  @Test func `what is no number becomes black, and nothing traps`() {
    let images: [Float] = [.nan, .infinity, -.infinity, 2, -1, 0.5]
    for operation in AugmentationFixture.operations {
      var sample = AugmentedSample(
        images: images, labels: [0, 0, 0, 0, 0, 0], slices: 1, channels: 1, height: 2, width: 3)
      let step = AugmentationFixture.step(operation, [5, 1])
      step?.apply(to: &sample, randomness: stream)
      #expect(sample.images.count == 6)
    }
    var sample = AugmentedSample(
      images: images, labels: [0, 0, 0, 0, 0, 0], slices: 1, channels: 1, height: 2, width: 3)
    sample.posterise(bits: 8)
    #expect(sample.images == [0, 1, 0, 1, 0, 127 / 255])
  }

  private func boxed(_ box: AugmentedSample.Box) -> AugmentedSample {
    let (height, width) = (31, 40)
    let labels = (0..<height * width).map { place -> UInt8 in
      let (x, y) = (Float(place % width), Float(place / width))
      return x >= box.x0 && x < box.x1 && y >= box.y0 && y < box.y1 ? 1 : 0
    }
    return AugmentedSample(
      images: labels.map(Float.init), labels: labels, boxes: [box], slices: 1, channels: 1,
      height: height, width: width)
  }

  /// The box around all labelled pixels.
  private func extent(of sample: AugmentedSample) throws -> AugmentedSample.Box {
    let places = sample.labels.indices.filter { sample.labels[$0] != 0 }
    let (xs, ys) = (places.map { $0 % sample.width }, places.map { $0 / sample.width })
    return try AugmentedSample.Box(
      x0: Float(#require(xs.min())), y0: Float(#require(ys.min())),
      x1: Float(#require(xs.max()) + 1), y1: Float(#require(ys.max()) + 1))
  }
}
