/// What was held against what, and how it came out.
public struct VerificationReport: Sendable {
  /// How far one tensor is from its reference.
  public struct Measurement: Sendable, Equatable {
    public var name: String
    /// The largest absolute difference over the reference's largest magnitude.
    public var difference: Double
    public var tolerance: Double
    /// A difference that is no number passes nothing.
    public var passes: Bool { difference <= tolerance }

    public init(name: String, difference: Double, tolerance: Double) {
      self.name = name
      self.difference = difference
      self.tolerance = tolerance
    }
  }

  /// One kind of check.
  public struct Level: Sendable {
    public enum Outcome: String, Sendable {
      case passed, failed
      /// There was nothing to check it with.
      case skipped
      /// What it builds on has failed.
      case notRun = "not run"
    }

    public var name: String
    public var outcome: Outcome
    /// One sentence: what was found, or what is missing to check it.
    public var detail: String
    public var measurements: [Measurement]

    public init(
      _ name: String, _ outcome: Outcome, _ detail: String, measurements: [Measurement] = []
    ) {
      self.name = name
      self.outcome = outcome
      self.detail = detail
      self.measurements = measurements
    }

    /// A level that passes if all of its measurements do, and names the first that does not.
    init(_ name: String, _ measurements: [Measurement], passing: String) {
      guard let wrong = measurements.first(where: { !$0.passes }) else {
        self.init(name, .passed, passing, measurements: measurements)
        return
      }
      let count = measurements.filter { !$0.passes }.count
      self.init(
        name, .failed,
        "'\(wrong.name)' is the first of \(count) to diverge: \(wrong.difference), allowed "
          + "\(wrong.tolerance)",
        measurements: measurements)
    }
  }

  public var model: String
  public var levels: [Level]

  public init(model: String, levels: [Level] = []) {
    self.model = model
    self.levels = levels
  }

  /// Whether nothing failed.
  public var passes: Bool { levels.allSatisfy { $0.outcome != .failed } }
}
