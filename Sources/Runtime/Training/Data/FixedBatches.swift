import Formats
import Networks
import Numerics
import Surgery

/// Batches that a file holds ready, used in order and again from the first.
public struct FixedBatches: CountedSource {
  private let file: any Checkpoint
  private let images: Int
  private let labels: Int
  private let boxes: Int?
  /// The content hash of the file.
  public let identity: String

  /// Opens and checks `images` [S, B, N, 3, H, W] f32, `labels` [S, B·N, H, W] u8 and, if they are
  /// there, `boxes` [S, B·N, 4] f32.
  ///
  /// - Throws: `TrainingError` with code `badBatches`, `wrongShape`, `notFinite` or
  ///   `labelOutOfRange`, or what reading throws.
  public init(_ file: any Checkpoint, for model: Architecture) throws {
    self.file = file
    let size = model.imageSize ?? 0
    images = try Self.place("images", .float32, file)
    labels = try Self.place("labels", .uint8, file)
    boxes = file.index(of: "boxes") == nil ? nil : try Self.place("boxes", .float32, file)
    let shape = file.tensors[images].shape
    try Self.expect(
      images, file, "[batches, stacks, slices, 3, \(size), \(size)]",
      shape.count == 6 && Array(shape.suffix(3)) == [3, size, size] && !shape.contains(0))
    let slices = [shape[0], shape[1] * shape[2]]
    try Self.expect(labels, file, slices + [size, size])
    if let boxes { try Self.expect(boxes, file, slices + [4]) }
    identity = try CheckpointHash(file).content
    for step in 0..<shape[0] { try check(step, classes: model.decoder.maskTokens) }
  }

  /// The number of batches before they repeat.
  public var count: Int { file.tensors[images].shape[0] }

  /// Of each stack.
  public var slices: Int { file.tensors[images].shape[2] }

  public func batch(step: Int) throws -> TrainingBatch {
    let shape = Array(file.tensors[images].shape.dropFirst())
    return TrainingBatch(
      images: Tensor(try floats(images, step), shape: shape),
      labels: try part(labels, step).map(Int16.init),
      boxes: try boxes.map { place in
        let numbers = try floats(place, step)
        return stride(from: 0, to: numbers.count, by: 4).map {
          Prompts.Box(
            left: numbers[$0], top: numbers[$0 + 1], right: numbers[$0 + 2],
            bottom: numbers[$0 + 3])
        }
      })
  }

  private func part(_ place: Int, _ step: Int) throws -> [UInt8] {
    let length = file.tensors[place].byteCount / count
    let index = step % count
    return try file.bytes(of: place, index * length..<(index + 1) * length)
  }

  private func floats(_ place: Int, _ step: Int) throws -> [Float] {
    try part(place, step).withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map {
        Float(
          bitPattern: UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
      }
    }
  }

  private func check(_ step: Int, classes: Int) throws {
    for place in [images, boxes].compactMap({ $0 }) {
      let numbers = try floats(place, step)
      if let index = numbers.firstIndex(where: { !$0.isFinite }) {
        throw TrainingError(
          .notFinite, file: file.path, subject: file.tensors[place].name.text,
          expected: "finite numbers",
          found: "\(numbers[index]) at element \(index) of batch \(step)")
      }
    }
    let labels = try part(labels, step)
    if let index = labels.firstIndex(where: { Int($0) >= classes }) {
      throw TrainingError(
        .labelOutOfRange, file: file.path, subject: "labels",
        expected: "0 to \(classes - 1), as the model has \(classes - 1) classes",
        found: "\(labels[index]) at element \(index) of batch \(step)",
        remedy: "adapt the model with --classes \(labels.max() ?? 0)")
    }
  }

  private static func place(
    _ name: TensorName, _ type: DType, _ file: any Checkpoint
  ) throws -> Int {
    guard let place = file.index(of: name), file.tensors[place].dtype == type else {
      throw TrainingError(
        .badBatches, file: file.path, subject: name.text, expected: "a tensor of \(type.rawValue)",
        found: file.index(of: name).map { file.tensors[$0].dtype.rawValue } ?? "none")
    }
    return place
  }

  private static func expect(_ place: Int, _ file: any Checkpoint, _ shape: [Int]) throws {
    try expect(place, file, "\(shape)", file.tensors[place].shape == shape)
  }

  private static func expect(
    _ place: Int, _ file: any Checkpoint, _ expected: String, _ fits: Bool
  ) throws {
    guard fits else {
      throw TrainingError(
        .wrongShape, file: file.path, subject: file.tensors[place].name.text, expected: expected,
        found: "\(file.tensors[place].shape)")
    }
  }
}
