import Formats
import Networks
import Numerics
import Support

extension Verifier {
  /// Runs the model on a golden file's input and holds every tensor that the file has against it.
  ///
  /// - Throws: `RuntimeError` with code `goldenMismatch` when names or shapes are not the model's.
  public func golden(_ file: any Checkpoint) throws -> VerificationReport.Level {
    // Factors beside the weights are what was trained, and what other programs calculate with.
    let network = try SegmentAnything(plan, path: model.path, factors: .beside, maps: maps)
    let input = try ForwardInput(file, for: network.architecture)
    let outputs = network.forward(input, traced: true, progress: progress)
    let masks = MaskOutputs(outputs, of: input, modelSize: network.architecture.imageSize ?? 0)
    let names = Set(
      outputs.map(\.name) + ForwardInput.names + (masks == nil ? [] : MaskOutputs.names))
    let unknown = file.tensors.map(\.name.text).filter { !names.contains($0) }
    guard unknown.isEmpty else {
      throw RuntimeError(
        .goldenMismatch, file: file.path, subject: unknown[0],
        expected: "names that 'wt forward --trace' writes for this model",
        found: "\(unknown.count) others")
    }
    let measurements =
      try outputs.compactMap { output -> VerificationReport.Measurement? in
        guard let place = file.index(of: TensorName(output.name)) else { return nil }
        guard file.tensors[place].shape == output.tensor.shape else {
          throw RuntimeError(
            .goldenMismatch, file: file.path, subject: output.name,
            expected: "\(output.tensor.shape)", found: "\(file.tensors[place].shape)")
        }
        let reference = try Tensor(reading: file, place)
        return .init(
          name: output.name, difference: relativeDifference(output.tensor, reference),
          tolerance: tolerance)
      }
      + compare(masks, file)
    guard !measurements.isEmpty else {
      throw RuntimeError(
        .goldenMismatch, file: file.path, expected: "at least one output to compare",
        found: "the input alone", remedy: "record it with 'wt forward --trace' or record.py")
    }
    return .init(
      "activations", measurements,
      passing: "\(measurements.count) tensors are those of \(file.path.escapedForDisplay)")
  }
}

extension Verifier {
  /// The share of pixels at the rims of masks that rounding may move.
  private static let maskTolerance = 1e-3

  /// The masks that the file has, held against the model's.
  private func compare(
    _ made: MaskOutputs?, _ file: any Checkpoint
  ) throws -> [VerificationReport.Measurement] {
    try (made?.tensors() ?? []).compactMap { info, reader in
      guard let place = file.index(of: info.name) else { return nil }
      let found = file.tensors[place]
      guard [.uint8, .bool].contains(found.dtype), found.shape == info.shape else {
        throw RuntimeError(
          .goldenMismatch, file: file.path, subject: info.name.text,
          expected: "bytes \(info.shape)", found: "\(found.dtype.rawValue) \(found.shape)")
      }
      return .init(
        name: info.name.text,
        difference: try differingShare(
          file.reader(of: place), reader(), planeBytes: info.shape.suffix(2).reduce(1, *)),
        tolerance: Self.maskTolerance)
    }
  }

  /// Of all masks the largest share of pixels that differ in one.
  private func differingShare(
    _ left: any TensorReader, _ right: any TensorReader, planeBytes: Int
  ) throws -> Double {
    var planes = (
      [UInt8](repeating: 0, count: planeBytes), [UInt8](repeating: 0, count: planeBytes)
    )
    var largest = 0
    while case let read = try planes.0.withUnsafeMutableBytes(left.read(into:)), read > 0 {
      guard try planes.1.withUnsafeMutableBytes(right.read(into:)) == read else { return 1 }
      largest = max(largest, zip(planes.0, planes.1).count { ($0 != 0) != ($1 != 0) })
    }
    return Double(largest) / Double(max(1, planeBytes))
  }
}

/// The largest absolute difference over the largest magnitude of the reference; NaN if either has one.
func relativeDifference(_ found: Tensor, _ reference: Tensor) -> Double {
  var (difference, scale) = (0.0, 0.0)
  for (left, right) in zip(found.values, reference.values) {
    let apart = abs(Double(left) - Double(right))
    guard !apart.isNaN else { return .nan }
    difference = max(difference, apart)
    scale = max(scale, abs(Double(right)))
  }
  return scale > 0 ? difference / scale : difference
}
