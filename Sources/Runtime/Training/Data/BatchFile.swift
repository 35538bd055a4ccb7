import Formats
import Networks
import Numerics

/// Fixed batches in a safetensors file, used in order and over again.
///
/// In the file are `images` [S, B, N, 3, H, W] of floats, `labels` [S, B·N, H, W] of bytes and, if the
/// model is prompted, `boxes` [S, B·N, 4] of floats: left, top, right, bottom; other tensors are left
/// alone. One batch at a time is in memory.
public struct BatchFile: BatchSource {
  private let file: SafeTensorsFile
  private let places: (images: Int, labels: Int, boxes: Int?)
  /// S, B, N, 3, H, W.
  private let shape: [Int]

  public var batchesPerEpoch: Int { shape[0] }
  public var isCyclic: Bool { true }
  public var slices: Int { shape[2] }
  public var hasBoxes: Bool { places.boxes != nil }

  /// Opens the file and looks at every number in it.
  ///
  /// - Parameters:
  ///   - classes: of the model, the background among them.
  ///   - imageSize: of the model, in pixels a side.
  ///   - slices: of the model's stacks; nil when any number will do.
  ///   - usesBoxes: whether boxes are read if they are there.
  /// - Throws: `TrainingError` with code `badBatches`, `wrongShape`, `dataMismatch`, `notFinite` or
  ///   `labelOutOfRange`, or `FormatError`.
  public init(
    path: String, classes: Int, imageSize: Int, slices: Int? = nil, usesBoxes: Bool = true
  ) throws {
    guard let file = try openCheckpoint(path) as? SafeTensorsFile else {
      throw TrainingError(.badBatches, file: path, expected: "a single safetensors file")
    }
    self.file = file
    let images = try Self.place("images", .float32, ["S", "B", "N", "3", "H", "W"], file) {
      $0.count == 6 && $0[3] == 3 && $0.allSatisfy { $0 > 0 }
    }
    let shape = file.tensors[images].shape
    try Self.check(shape, file, imageSize: imageSize, slices: slices)
    let pictures = shape[1] * shape[2]
    let labels = try Self.place("labels", .uint8, [shape[0], pictures, shape[4], shape[5]], file)
    let boxes =
      file.index(of: "boxes") == nil || !usesBoxes
      ? nil : try Self.place("boxes", .float32, [shape[0], pictures, 4], file)
    self.shape = shape
    places = (images, labels, boxes)
    try checkFinite(images)
    try checkLabels(classes: classes)
    if let boxes {
      try checkFinite(boxes)
      try checkBoxes(boxes)
    }
  }

  private static func check(
    _ shape: [Int], _ file: SafeTensorsFile, imageSize: Int, slices: Int?
  ) throws {
    guard shape[4...] == [imageSize, imageSize] else {
      throw TrainingError(
        .dataMismatch, file: file.path, subject: "images",
        expected: "\(imageSize) × \(imageSize) pixels", found: "\(shape[4]) × \(shape[5])",
        remedy: "resample the images, or adapt the model with --image-size")
    }
    guard slices == nil || shape[2] == slices else {
      throw TrainingError(
        .dataMismatch, file: file.path, subject: "images",
        expected: "stacks of \(slices ?? 0) slices", found: "\(shape[2])",
        remedy: "adapt the model with --slices")
    }
  }

  private static func place(
    _ name: String, _ dtype: DType, _ shape: [Int], _ file: SafeTensorsFile
  ) throws -> Int {
    try place(name, dtype, shape.map(String.init), file) { $0 == shape }
  }

  private static func place(
    _ name: String, _ dtype: DType, _ shape: [String], _ file: SafeTensorsFile,
    _ fits: ([Int]) -> Bool
  ) throws -> Int {
    guard let place = file.index(of: TensorName(name)) else {
      throw TrainingError(
        .badBatches, file: file.path, subject: name, expected: "this tensor", found: "none")
    }
    let info = file.tensors[place]
    guard info.dtype == dtype else {
      throw TrainingError(
        .badBatches, file: file.path, subject: name, expected: dtype.rawValue,
        found: info.dtype.rawValue)
    }
    guard fits(info.shape) else {
      throw TrainingError(
        .wrongShape, file: file.path, subject: name,
        expected: "[\(shape.joined(separator: ", "))]", found: "\(info.shape)")
    }
    return place
  }

  public func batch(step: Int) throws -> TrainingBatch {
    let index = step % shape[0]
    let images = Tensor(uninitialised: Array(shape[1...]))
    try read(places.images, index, into: images)
    let count = file.tensors[places.labels].byteCount / shape[0]
    let labels = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      try file.read(
        places.labels, at: index * count, into: UnsafeMutableRawBufferPointer(buffer))
      initialized = count
    }
    return TrainingBatch(
      images: images, labels: labels.map(Int16.init),
      boxes: try places.boxes.map { try boxes($0, index) })
  }

  private func boxes(_ place: Int, _ index: Int) throws -> [Prompts.Box] {
    let tensor = Tensor(uninitialised: [shape[1] * shape[2], 4])
    try read(place, index, into: tensor)
    let values = tensor.values
    return stride(from: 0, to: values.count, by: 4).map {
      Prompts.Box(
        left: values[$0], top: values[$0 + 1], right: values[$0 + 2], bottom: values[$0 + 3])
    }
  }

  /// Reads one batch's part of a tensor of floats.
  private func read(_ place: Int, _ index: Int, into tensor: Tensor) throws {
    let bytes = UnsafeMutableRawBufferPointer(
      start: tensor.pointer, count: tensor.count * MemoryLayout<Float>.stride)
    try file.read(place, at: index * bytes.count, into: bytes)
  }
}

/// Looking at every number before the first step.
extension BatchFile {
  private static let chunkBytes = 1 << 20

  /// Calls `body` with the bytes of a tensor, a piece at a time, and where each begins.
  private func forEachPiece(
    _ place: Int, _ body: (UnsafeRawBufferPointer, Int) throws -> Void
  ) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: Self.chunkBytes, alignment: 64)
    defer { buffer.deallocate() }
    let count = file.tensors[place].byteCount
    for start in stride(from: 0, to: count, by: buffer.count) {
      let part = UnsafeMutableRawBufferPointer(
        rebasing: buffer[..<min(buffer.count, count - start)])
      try file.read(place, at: start, into: part)
      try body(UnsafeRawBufferPointer(part), start)
    }
  }

  /// The batch that an element of a tensor belongs to.
  private func step(_ place: Int, _ element: Int) -> Int {
    element / (file.tensors[place].elementCount / shape[0])
  }

  private func checkFinite(_ place: Int) throws {
    try forEachPiece(place) { bytes, start in
      let numbers = bytes.bindMemory(to: Float.self)
      guard let bad = numbers.firstIndex(where: { !$0.isFinite }) else { return }
      let element = start / MemoryLayout<Float>.stride + bad
      throw TrainingError(
        .notFinite, file: file.path, subject: file.tensors[place].name.text,
        expected: "finite numbers",
        found: "\(numbers[bad]) at element \(element), in step \(step(place, element))")
    }
  }

  private func checkLabels(classes: Int) throws {
    let place = places.labels
    try forEachPiece(place) { bytes, start in
      guard let bad = bytes.firstIndex(where: { Int($0) >= classes }) else { return }
      throw TrainingError(
        .labelOutOfRange, file: file.path, subject: "labels",
        expected: "0 to \(classes - 1), as the model has \(classes - 1) classes",
        found: "\(bytes[bad]) in step \(step(place, start + bad))",
        remedy: "adapt the model with --classes, or mend the labels")
    }
  }

  private func checkBoxes(_ place: Int) throws {
    for index in 0..<shape[0] {
      let boxes = try boxes(place, index)
      guard let bad = boxes.firstIndex(where: { !$0.overlaps(width: shape[5], height: shape[4]) })
      else { continue }
      let box = boxes[bad]
      throw TrainingError(
        .badBatches, file: file.path, subject: "boxes",
        expected: "left, top, right, bottom, in pixels of an image of \(shape[5]) × \(shape[4])",
        found: "\([box.left, box.top, box.right, box.bottom]) at slice \(bad) of step \(index)")
    }
  }
}

extension Prompts.Box {
  /// Whether the corners are in their order and something of an image lies between them.
  fileprivate func overlaps(width: Int, height: Int) -> Bool {
    left < right && top < bottom && right > 0 && bottom > 0 && left < Float(width)
      && top < Float(height)
  }
}
