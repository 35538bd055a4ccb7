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
    let names = Set(outputs.map(\.name) + ForwardInput.names + MaskOutputs.names)
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
      + masks(file, outputs, input, network)
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

  /// The masks that the file has, each held against the model's: the share of pixels that differ.
  private func masks(
    _ file: any Checkpoint, _ outputs: [NamedTensor], _ input: ForwardInput,
    _ network: SegmentAnything
  ) throws -> [VerificationReport.Measurement] {
    let made = MaskOutputs(outputs, of: input, modelSize: network.architecture.imageSize ?? 0)
    return try (made?.tensors() ?? []).compactMap { info, reader in
      guard let place = file.index(of: info.name) else { return nil }
      let found = file.tensors[place]
      guard [.uint8, .bool].contains(found.dtype), found.shape == info.shape else {
        throw RuntimeError(
          .goldenMismatch, file: file.path, subject: info.name.text,
          expected: "bytes \(info.shape)", found: "\(found.dtype.rawValue) \(found.shape)")
      }
      return .init(
        name: info.name.text,
        difference: try differingShare(file.reader(of: place), reader(), info.byteCount),
        tolerance: Self.maskTolerance)
    }
  }

  private func differingShare(
    _ left: any TensorReader, _ right: any TensorReader, _ count: Int
  ) throws -> Double {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 << 16, alignment: 64)
    defer { buffer.deallocate() }
    let half = buffer.count / 2
    let halves = (
      UnsafeMutableRawBufferPointer(rebasing: buffer[..<half]),
      UnsafeMutableRawBufferPointer(rebasing: buffer[half...])
    )
    var differing = 0
    while case let read = try left.read(into: halves.0), read > 0 {
      guard try right.read(into: halves.1) == read else { return 1 }
      for place in 0..<read where (halves.0[place] != 0) != (halves.1[place] != 0) {
        differing += 1
      }
    }
    return Double(differing) / Double(max(1, count))
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
