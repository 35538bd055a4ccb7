import Formats
import Networks
import Numerics
import Support
import Surgery

/// Holds a model against what can be known of it in another way.
public struct Verifier: Sendable {
  public let model: any Checkpoint
  /// The model under canonical names.
  let plan: Blueprint
  let architecture: Architecture
  /// What activations may differ by, relative to their largest magnitude.
  public var tolerance: Double
  /// Whether weights are used where they lie in their files.
  public var maps = false
  /// Pixels a side, as far as the model says it.
  public var imageSize: Int? { architecture.imageSize }
  public var isDelta: Bool { architecture.isDelta }
  var progress: ProgressHandler

  /// - Throws: `SurgeryError` when the file is of no known family or not complete.
  public init(
    _ model: any Checkpoint, tolerance: Double = 2e-5, toolVersion: String,
    progress: @escaping ProgressHandler = { _ in }
  ) throws {
    self.model = model
    self.tolerance = tolerance
    self.progress = progress
    plan = try Blueprint(importing: model, toolVersion: toolVersion)
    architecture = try Architecture(plan)
  }

  /// The checks that need nothing but the model, and its base if it is at hand.
  ///
  /// - Throws: `FormatError` when a tensor cannot be read; one that is damaged fails its level.
  public func ownLevels(base: Blueprint?) throws -> [VerificationReport.Level] {
    do {
      return [Self.container(model), try schema(), try finite(), try provenance(base)]
    } catch let error as FormatError where error.isDamage {
      return Self.levels(failing: "container", error)
    }
  }

  /// Whether every number of every tensor is finite; reading them compares checksums too.
  private func finite() throws -> VerificationReport.Level {
    let entries = plan.entries
    let checkpoint = PlannedCheckpoint(plan, path: model.path)
    let counter = ProgressCounter("reading", total: checkpoint.totalByteCount, progress)
    var counts = [Int](repeating: 0, count: entries.count)
    try counts.withUnsafeMutableBufferPointer { buffer in
      let slots = Slots(base: buffer.baseAddress)
      try parallelFor(count: entries.count) { index in
        let statistics = try TensorStatistics(checkpoint, index)
        slots.base?[index] = statistics.map { $0.nanCount + $0.infinityCount } ?? 0
        counter.add(entries[index].info.byteCount)
      }
    }
    guard let first = counts.firstIndex(where: { $0 > 0 }) else {
      let numbers = entries.reduce(0) { $0 + $1.info.elementCount }
      return .init("finite", .passed, "all \(numbers) numbers are finite")
    }
    let others = counts.filter { $0 > 0 }.count - 1
    return .init(
      "finite", .failed,
      "'\(entries[first].info.name)' has \(counts[first]) numbers that are not finite"
        + (others > 0 ? ", and so have \(others) other tensors some" : ""))
  }

  private struct Slots: @unchecked Sendable {
    // Every index is written by one thread.
    let base: UnsafeMutablePointer<Int>?
  }

  private func provenance(_ base: Blueprint?) throws -> VerificationReport.Level {
    guard let recorded = architecture.base else {
      return .init("provenance", .skipped, "the file does not say what it was made from")
    }
    guard let base else {
      return .init(
        "provenance", .skipped, "made from \(recorded.shortened()); --base checks that it is")
    }
    let found = try CheckpointHash(PlannedCheckpoint(base, path: ""), progress: progress).content
    return found == recorded
      ? .init("provenance", .passed, "made from the base given, \(found.shortened())")
      : .init(
        "provenance", .failed,
        "made from \(recorded.shortened()), but the base given is \(found.shortened())")
  }
}
