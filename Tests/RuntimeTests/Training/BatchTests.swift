import Formats
import Networks
import Numerics
import Support
import Synchronization
import TestSupport
import Testing

@testable import Training

/// A file of batches, made here so that it can be made wrong.
struct BatchFixture {
  var images: [Int] = [3, 2, 2, 3, 4, 4]
  var labels: [Int] = [3, 4, 4, 4]
  var boxes: [Int]?
  var label: UInt8 = 2
  var number: Float = 0.5
  var labelType = DType.uint8

  /// The numbers of a tensor that differ in every place.
  static func values(_ shape: [Int], _ number: Float) -> [Float] {
    var values = (0..<shape.reduce(1, *)).map { Float($0 % 1009) / 1009 }
    if !values.isEmpty { values[values.count - 1] = number }
    return values
  }

  func write(to path: String) throws {
    var tensors: [(TensorInfo, [UInt8])] = []
    func add(_ name: String, _ dtype: DType, _ shape: [Int], _ bytes: [UInt8]) throws {
      tensors.append((try TensorInfo(name: TensorName(name), dtype: dtype, shape: shape), bytes))
    }
    let floats = Self.values(images, number).flatMap { $0.bitPattern.littleEndianBytes }
    try add("images", .float32, images, floats)
    let width = labelType.byteWidth ?? 1
    var classes = (0..<labels.reduce(1, *) * width).map { UInt8($0 % 3) }
    if !classes.isEmpty { classes[classes.count - 1] = label }
    try add("labels", labelType, labels, classes)
    if let boxes {
      let corners = (0..<boxes.reduce(1, *)).map { Float($0 % 4 < 2 ? $0 % 2 : 3) }
      try add("boxes", .float32, boxes, corners.flatMap { $0.bitPattern.littleEndianBytes })
    }
    let contents = tensors
    _ = try CheckpointWriter(
      contents.map(\.0), from: { BytesSource(contents[$0].1) }
    ).write(to: path, overwrite: true)
  }
}

extension UInt32 {
  var littleEndianBytes: [UInt8] { withUnsafeBytes(of: littleEndian) { Array($0) } }
}

final class BytesSource: TensorReader {
  private var rest: ArraySlice<UInt8>
  init(_ bytes: [UInt8]) { rest = bytes[...] }
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let part = rest.prefix(buffer.count)
    buffer.copyBytes(from: part)
    rest = rest.dropFirst(part.count)
    return part.count
  }
}

struct BatchTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func open(_ fixture: BatchFixture, slices: Int? = 2) throws -> BatchFile {
    let path = directory.file("batches.safetensors")
    try fixture.write(to: path)
    return try BatchFile(path: path, classes: 3, imageSize: 4, slices: slices)
  }

  @Test func `batches come in order and over again`() throws {
    let file = try open(BatchFixture(boxes: [3, 4, 4]))
    #expect(file.batchesPerEpoch == 3 && file.slices == 2 && file.hasBoxes)
    let values = BatchFixture.values([3, 2, 2, 3, 4, 4], 0.5)
    let count = values.count / 3
    for step in [0, 1, 2, 3, 7] {
      let batch = try file.batch(step: step)
      let start = step % 3 * count
      #expect(batch.images.shape == [2, 2, 3, 4, 4])
      #expect(batch.images.values == Array(values[start..<start + count]))
      #expect(batch.labels.count == 64)
      #expect(batch.labels.first == Int16(step % 3 * 64 % 3))
      #expect(batch.boxes?.count == 4)
      #expect(batch.boxes?.first?.right == 3)
    }
  }

  @Test func `boxes may be missing, or not be wanted`() throws {
    let file = try open(BatchFixture(), slices: nil)
    #expect(!file.hasBoxes)
    #expect(try file.batch(step: 0).boxes == nil)
    let path = directory.file("boxes.safetensors")
    try BatchFixture(boxes: [3, 4, 4]).write(to: path)
    let unprompted = try BatchFile(path: path, classes: 3, imageSize: 4, usesBoxes: false)
    #expect(!unprompted.hasBoxes)
    #expect(try unprompted.batch(step: 0).boxes == nil)
  }

  @Test func `accumulating goes round in a file and ends with an epoch in a dataset`() throws {
    let file = try open(BatchFixture())
    let rounds = (0..<4).map { file.batches(ofStep: $0, accumulating: 2) }
    #expect(rounds == [0..<2, 2..<4, 4..<6, 6..<8])
    #expect(try file.batch(step: 3).images.values == file.batch(step: 0).images.values)
    let epochs = (0..<4).map { CountingSource().batches(ofStep: $0, accumulating: 3) }
    #expect(epochs == [0..<3, 3..<4, 4..<7, 7..<8])
  }

  static let wrong: [(name: String, fixture: BatchFixture, code: TrainingError.Code)] = [
    ("rank", BatchFixture(images: [3, 4, 3, 4, 4]), .wrongShape),
    ("channels", BatchFixture(images: [3, 2, 2, 1, 4, 4]), .wrongShape),
    ("empty", BatchFixture(images: [0, 2, 2, 3, 4, 4], labels: [0, 4, 4, 4]), .wrongShape),
    ("size", BatchFixture(images: [3, 2, 2, 3, 8, 8], labels: [3, 4, 8, 8]), .dataMismatch),
    ("not square", BatchFixture(images: [3, 2, 2, 3, 4, 8], labels: [3, 4, 4, 8]), .dataMismatch),
    ("slices", BatchFixture(images: [3, 1, 4, 3, 4, 4]), .dataMismatch),
    ("label shape", BatchFixture(labels: [3, 2, 4, 4]), .wrongShape),
    ("label type", BatchFixture(labelType: .int64), .badBatches),
    ("label", BatchFixture(label: 3), .labelOutOfRange),
    ("number", BatchFixture(number: .nan), .notFinite),
    ("boxes", BatchFixture(boxes: [3, 4, 2]), .wrongShape),
  ]

  @Test(arguments: wrong.map(\.name)) func `what does not fit is refused`(_ name: String) throws {
    let row = try #require(Self.wrong.first { $0.name == name })
    let error = #expect(throws: TrainingError.self) { try open(row.fixture) }
    #expect(error?.code == row.code)
    #expect(error?.category.rawValue == 65)
    #expect(error?.file == directory.file("batches.safetensors"))
  }

  @Test func `a bad label is named with its tensor and step`() throws {
    let error = #expect(throws: TrainingError.self) { try open(BatchFixture(label: 9)) }
    #expect(error?.subject == "labels")
    #expect(error?.found == "9 in step 2")
    let number = #expect(throws: TrainingError.self) { try open(BatchFixture(number: .infinity)) }
    #expect(number?.subject == "images")
    #expect(number?.found == "inf at element 575, in step 2")
  }

  /// Counts what it is asked for, and fails at one step.
  private final class CountingSource: BatchSource {
    let asked = Mutex<[Int]>([])
    let batchesPerEpoch = 4

    func batch(step: Int) throws -> TrainingBatch {
      asked.withLock { $0.append(step) }
      guard step != 5 else { throw TrainingError(.noSamples, found: "step 5") }
      return TrainingBatch(
        images: Tensor(repeating: Float(step), shape: [1, 1, 3, 1, 1]), labels: [0])
    }
  }

  @Test func `a batch prepared ahead is the one that is asked for`() throws {
    let base = CountingSource()
    let source = PrefetchingSource(base, end: 5)
    for step in [0, 1, 2, 3, 1, 2, 4] {
      #expect(try source.batch(step: step).images.values[0] == Float(step))
    }
    // Batch 4 was prepared for nothing once, batch 3 after the last 2; none lies beyond the end.
    let asked = base.asked.withLock { $0 }
    #expect(asked.max() == 4)
    #expect(asked.filter { $0 == 0 }.count == 1)
  }

  @Test func `an error ahead is thrown when its batch is asked for`() throws {
    let source = PrefetchingSource(CountingSource(), end: 9)
    #expect(try source.batch(step: 4).images.values[0] == 4)
    let error = #expect(throws: TrainingError.self) { try source.batch(step: 5) }
    #expect(error?.found == "step 5")
    #expect(try source.batch(step: 6).images.values[0] == 6)
  }
}
