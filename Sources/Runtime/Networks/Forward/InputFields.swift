import Formats
import Numerics

/// The tensors of a file of inputs, each checked as it is read.
struct InputFields {
  private let checkpoint: any Checkpoint

  init(_ checkpoint: any Checkpoint) { self.checkpoint = checkpoint }

  var path: String { checkpoint.path }

  func has(_ name: String) -> Bool { checkpoint.index(of: TensorName(name)) != nil }

  func refuse(_ names: [String], beside name: String) throws {
    guard let other = names.first(where: has) else { return }
    throw RuntimeError(
      .badInput, file: path, subject: other, expected: "nothing that does not belong to '\(name)'",
      found: "both")
  }

  /// A tensor of finite floats whose shape passes the check.
  ///
  /// - Parameter shape: how the shape is described when it does not.
  func floats(_ name: String, _ shape: [String], _ fits: ([Int]) -> Bool) throws -> Tensor {
    let place = try self.place(name, [.float32], shape, fits)
    let tensor = try Tensor(reading: checkpoint, place)
    if let index = tensor.values.firstIndex(where: { !$0.isFinite }) {
      throw RuntimeError(
        .notFinite, file: path, subject: name, expected: "finite numbers",
        found: "\(tensor.values[index]) at element \(index)")
    }
    return tensor
  }

  /// Boxes [count, 4]: left, top, right, bottom.
  func boxes(_ name: String, count: Int?) throws -> [Prompts.Box]? {
    guard has(name) else { return nil }
    let boxes = try floats(name, [count.map(String.init) ?? "P", "4"]) {
      $0.count == 2 && $0[1] == 4 && $0[0] == count ?? $0[0] && $0[0] > 0
    }
    let values = boxes.values
    return stride(from: 0, to: values.count, by: 4).map {
      Prompts.Box(
        left: values[$0], top: values[$0 + 1], right: values[$0 + 2], bottom: values[$0 + 3])
    }
  }

  /// Points [P, K, 2] with labels [P, K].
  func points(_ name: String, _ labelName: String) throws -> [[Prompts.Point]]? {
    guard has(name) || has(labelName) else { return nil }
    let places = try floats(name, ["P", "K", "2"]) {
      $0.count == 3 && $0[2] == 2 && $0[0] > 0 && $0[1] > 0
    }
    let shape = Array(places.shape.dropLast())
    let labels = try floats(labelName, shape.map(String.init)) { $0 == shape }.values
    if let wrong = labels.first(where: { ![-1, 0, 1].contains($0) }) {
      throw RuntimeError(
        .badInput, file: path, subject: labelName,
        expected: "1 for inside, 0 for outside, −1 for neither", found: "\(wrong)")
    }
    let values = places.values
    return (0..<shape[0]).map { prompt in
      (0..<shape[1]).map { point in
        let index = prompt * shape[1] + point
        return Prompts.Point(
          x: values[2 * index], y: values[2 * index + 1], label: Int(labels[index]))
      }
    }
  }

  /// An image stored as [3, height, width] bytes.
  func image(_ name: String) throws -> ByteImage {
    let limit = 1 << 15
    let place = try self.place(name, [.uint8], ["3", "H", "W"]) {
      $0.count == 3 && $0[0] == 3 && (1...limit).contains($0[1]) && (1...limit).contains($0[2])
    }
    let bytes = try checkpoint.bytes(of: place)
    let (height, width) = (checkpoint.tensors[place].shape[1], checkpoint.tensors[place].shape[2])
    let pixels = height * width
    var result = [UInt8](repeating: 0, count: bytes.count)
    for pixel in 0..<pixels {
      for channel in 0..<3 { result[3 * pixel + channel] = bytes[channel * pixels + pixel] }
    }
    return ByteImage(width: width, height: height, channels: 3, bytes: result)
  }

  private func place(
    _ name: String, _ types: [DType], _ shape: [String], _ fits: ([Int]) -> Bool
  ) throws -> Int {
    guard let place = checkpoint.index(of: TensorName(name)) else {
      throw RuntimeError(
        .badInput, file: path, subject: name, expected: "this tensor", found: "none")
    }
    let info = checkpoint.tensors[place]
    guard types.contains(info.dtype) else {
      throw RuntimeError(
        .badInput, file: path, subject: name,
        expected: types.map(\.rawValue).joined(separator: " or "), found: info.dtype.rawValue)
    }
    guard fits(info.shape) else {
      throw RuntimeError(
        .wrongShape, file: path, subject: name,
        expected: "[\(shape.joined(separator: ", "))]", found: "\(info.shape)")
    }
    return place
  }
}
