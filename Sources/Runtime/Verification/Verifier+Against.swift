import Formats
import Networks
import Numerics
import Support
import Surgery

extension Verifier {
  /// What two models must share and what they compute.
  ///
  /// If one of them carries factors and the other has them merged, the first is merged here, in
  /// double precision, and held against the second.
  ///
  /// - Returns: the levels `algebra` and `forward`.
  public func against(_ other: Blueprint) throws -> [VerificationReport.Level] {
    let (own, theirs) = (try Architecture(plan), try Architecture(other))
    let merged = own.merged != nil ? plan : other
    let unmerged = own.merged != nil ? other : plan
    let isMerge = (own.merged != nil) != (theirs.merged != nil)
    var expected = unmerged
    if isMerge {
      try MergeFactors(scale: try recordedScale(merged, unmerged), verifies: false)
        .apply(to: &expected)
    }
    // What resizing calculated is held to its bytes.
    let resized = Set(calculatedNames(unmerged))
    let changed = isMerge ? calculatedNames(expected).filter { !resized.contains($0) } : []
    let algebra = try compare(
      merged, expected, changed: Set(changed), updates: updates(merged, unmerged, changed: changed))
    guard algebra.outcome == .passed else { return [algebra] + Self.notRun(["forward"]) }
    guard own.encoder != nil, theirs.encoder != nil else {
      return [algebra, .init("forward", .skipped, "a delta computes nothing by itself")]
    }
    return [algebra, try forward(merged, unmerged)]
  }

  /// The scale that the merge says it was made with; without it the unmerged file's own counts.
  private func recordedScale(_ merged: Blueprint, _ unmerged: Blueprint) throws -> Double? {
    guard let factors = try Architecture(unmerged).factors, factors.kind != .lora else {
      return nil
    }
    return try ModelMetadata(merged.metadata).mergedScale
  }

  private func calculatedNames(_ plan: Blueprint) -> [TensorName] {
    plan.entries.compactMap {
      if case .computed = $0.origin { return $0.info.name }
      return nil
    }
  }

  /// Tensors byte by byte, but for those that a merge changes, which are held to one unit.
  private func compare(
    _ found: Blueprint, _ expected: Blueprint, changed: Set<TensorName>,
    updates: [VerificationReport.Measurement]
  ) throws -> VerificationReport.Level {
    let (left, right) = (
      PlannedCheckpoint(found, path: "found"), PlannedCheckpoint(expected, path: "expected")
    )
    let names = (Set(left.tensors.map(\.name)), Set(right.tensors.map(\.name)))
    if let name = names.0.symmetricDifference(names.1).min() {
      let side = names.0.contains(name) ? "only one has" : "only the other has"
      return .init("algebra", .failed, "\(side) '\(name)'")
    }
    var measurements: [VerificationReport.Measurement] = []
    for (place, info) in left.tensors.enumerated() {
      guard let other = right.index(of: info.name), right.tensors[other].shape == info.shape,
        let comparison = try TensorComparison((left, place), (right, other), .init())
      else { return .init("algebra", .failed, "'\(info.name)' has another shape or type") }
      let isChanged = changed.contains(info.name)
      guard isChanged || comparison.differing > 0 else { continue }
      measurements.append(
        .init(
          name: info.name.text,
          difference: isChanged ? comparison.largestRelative : .infinity,
          tolerance: isChanged ? Self.unit(info.dtype) : 0))
    }
    return .init(
      "algebra", measurements + updates,
      passing: changed.isEmpty
        ? "all \(left.tensors.count) tensors are the same"
        : "\(changed.count) weights are base + s·V·Σ·U to one unit in the last place, "
          + "their other rows and all else unchanged, no update beyond its rank; "
          + "\(left.tensors.count - changed.count) tensors are the same byte by byte")
  }

  /// One unit in the last place of a number of the type, relative to it.
  static func unit(_ dtype: DType) -> Double {
    switch dtype {
    case .bfloat16: 0x1p-7
    case .float16: 0x1p-10
    case .float64: 0x1p-52
    default: 0x1p-23
    }
  }

  /// Both models on the same random input, factors calculated beside the weights.
  private func forward(
    _ merged: Blueprint, _ unmerged: Blueprint
  ) throws -> VerificationReport.Level {
    let input = try randomInput(Architecture(merged))
    let results = try [merged, unmerged].map {
      try SegmentAnything($0, path: model.path, factors: .beside, maps: maps)
        .forward(input, traced: true, progress: progress)
    }
    let measurements = zip(results[0], results[1]).map { found, reference in
      VerificationReport.Measurement(
        name: found.name, difference: relativeDifference(found.tensor, reference.tensor),
        tolerance: tolerance)
    }
    return .init(
      "forward", measurements, passing: "both compute the same on a random stack of slices")
  }

  /// Enough for every tap of every adapter, whatever metadata says.
  private static let mostSlices = 5

  private func randomInput(_ architecture: Architecture) -> ForwardInput {
    let slices = min(architecture.slices ?? 1, Self.mostSlices)
    let size = architecture.imageSize ?? 0
    let count = slices * 3 * size * size
    let stream = RandomStream(seed: 1, name: "verify")
    let values = (0..<count).map { Float(stream.uniform(block: UInt64($0 / 4))[$0 % 4]) }
    return .stacks(Tensor(values, shape: [1, slices, 3, size, size]), boxes: nil)
  }
}
