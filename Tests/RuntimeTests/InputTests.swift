import Formats
import Support
import TestSupport
import Testing

@testable import Networks
@testable import Numerics

/// Files of inputs that a model cannot run on, each with its error.
struct InputTests {
  /// One tensor of such a file: zeros, but for a number at its end.
  struct Field: Sendable {
    var name: String
    var shape: [Int]
    var dtype = DType.float32
    var last: Float = 0
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var code: RuntimeError.Code
    /// What the error is about; nil for the file.
    var subject: String?
    var fields: [Field]

    init(_ name: String, _ code: RuntimeError.Code, _ subject: String?, _ fields: [Field]) {
      (testDescription, self.code, self.subject, self.fields) = (name, code, subject, fields)
    }
  }

  /// The model's images are 64 pixels a side.
  private static let image = Field(name: "image", shape: [3, 20, 30], dtype: .uint8)
  static let rows: [Row] = [
    Row("nothing to run on", .badInput, nil, [Field(name: "boxes", shape: [1, 4])]),
    Row("both", .badInput, nil, [image, Field(name: "input", shape: [1, 1, 3, 64, 64])]),
    Row("rank 4", .wrongShape, "input", [Field(name: "input", shape: [1, 3, 64, 64])]),
    Row("rank 0", .wrongShape, "input", [Field(name: "input", shape: [])]),
    Row("one channel", .wrongShape, "input", [Field(name: "input", shape: [1, 1, 1, 64, 64])]),
    Row("no slices", .wrongShape, "input", [Field(name: "input", shape: [1, 0, 3, 64, 64])]),
    Row("another size", .wrongSize, "input", [Field(name: "input", shape: [1, 1, 3, 80, 80])]),
    Row("no square", .wrongSize, "input", [Field(name: "input", shape: [1, 1, 3, 64, 48])]),
    Row(
      "a NaN", .notFinite, "input",
      [Field(name: "input", shape: [1, 1, 3, 64, 64], last: .nan)]),
    Row(
      "an infinity", .notFinite, "input",
      [Field(name: "input", shape: [1, 1, 3, 64, 64], last: .infinity)]),
    Row(
      "whole numbers", .badInput, "input",
      [Field(name: "input", shape: [1, 1, 3, 64, 64], dtype: .uint8)]),
    Row(
      "boxes of another number of slices", .wrongShape, "boxes",
      [Field(name: "input", shape: [1, 2, 3, 64, 64]), Field(name: "boxes", shape: [3, 4])]),
    Row(
      "a box that is none", .notFinite, "boxes",
      [
        Field(name: "input", shape: [1, 1, 3, 64, 64]),
        Field(name: "boxes", shape: [1, 4], last: .nan),
      ]),
    Row(
      "points beside a stack", .badInput, "points",
      [Field(name: "input", shape: [1, 1, 3, 64, 64]), Field(name: "points", shape: [1, 1, 2])]),
    Row(
      "a grey image", .wrongShape, "image", [Field(name: "image", shape: [1, 8, 8], dtype: .uint8)]),
    Row("an image of floats", .badInput, "image", [Field(name: "image", shape: [3, 8, 8])]),
    Row(
      "an image without pixels", .wrongShape, "image",
      [Field(name: "image", shape: [3, 0, 8], dtype: .uint8)]),
    Row(
      "boxes beside an image", .badInput, "boxes", [image, Field(name: "boxes", shape: [1, 4])]),
    Row(
      "points without labels", .badInput, "labels",
      [image, Field(name: "points", shape: [1, 1, 2])]),
    Row(
      "labels without points", .badInput, "points", [image, Field(name: "labels", shape: [1, 1])]),
    Row(
      "labels of another shape", .wrongShape, "labels",
      [image, Field(name: "points", shape: [1, 2, 2]), Field(name: "labels", shape: [1, 3])]),
    Row(
      "a label that is none", .badInput, "labels",
      [
        image, Field(name: "points", shape: [1, 1, 2]),
        Field(name: "labels", shape: [1, 1], last: 7),
      ]),
    Row(
      "points in three dimensions", .wrongShape, "points",
      [image, Field(name: "points", shape: [1, 1, 3]), Field(name: "labels", shape: [1, 1])]),
    Row(
      "fewer boxes than points", .wrongShape, "box",
      [
        image, Field(name: "points", shape: [2, 1, 2]), Field(name: "labels", shape: [2, 1]),
        Field(name: "box", shape: [1, 4]),
      ]),
    Row(
      "a mask of another size", .wrongShape, "mask_input",
      [image, Field(name: "mask_input", shape: [1, 1, 256, 256])]),
  ]

  @Test(arguments: rows) func `an input that does not fit is refused`(_ row: Row) throws {
    let directory = try TemporaryDirectory()
    let infos = try row.fields.map {
      try TensorInfo(name: TensorName($0.name), dtype: $0.dtype, shape: $0.shape)
    }
    _ = try CheckpointWriter(infos) { ByteReader(Self.bytes(row.fields[$0], infos[$0])) }
      .write(to: directory.file("input"), overwrite: false)
    let architecture = try GoldenModel(name: "prompt-none").model().architecture
    let error = #expect(throws: RuntimeError.self) {
      try ForwardInput(openCheckpoint(directory.file("input")), for: architecture)
    }
    #expect(
      error?.code == row.code && error?.subject == row.subject, "\(String(describing: error))")
    #expect(error?.file?.hasSuffix("input") == true)
  }

  private static func bytes(_ field: Field, _ info: TensorInfo) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: info.byteCount)
    if field.dtype == .float32, bytes.count >= 4 {
      bytes.replaceSubrange(
        bytes.count - 4..<bytes.count,
        with: withUnsafeBytes(of: field.last.bitPattern.littleEndian) { Array($0) })
    }
    return bytes
  }

  @Test func `many prompts give what each gives alone`() throws {
    let model = try GoldenModel(name: "prompt-points").model()
    let size = Float(model.architecture.imageSize ?? 0)
    let points = (0..<37).map { index in
      [Prompts.Point(x: Float(index) / 37 * size, y: size / 2, label: index % 2)]
    }
    let image = Tensor(
      (0..<3 * Int(size * size)).map { Float($0 % 11) / 11 },
      shape: [1, 3, Int(size), Int(size)])
    let all = model(image, prompts: Prompts(points: points))
    #expect(all.masks.shape[0] == 37 && all.iouPredictions.shape[0] == 37)
    for index in [0, 15, 16, 36] {
      let alone = model(image, prompts: Prompts(points: [points[index]]))
      expectClose(all.masks[index].values, alone.masks.values, 1e-6)
    }
  }
}
