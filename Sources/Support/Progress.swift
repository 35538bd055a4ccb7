/// Work done so far, as libraries report it to whoever shows it.
public struct Progress: Sendable {
  /// What is being done, such as "writing".
  public var activity: String
  public var completed: Int
  public var total: Int
  public var unit: Unit

  /// What is counted.
  public enum Unit: Sendable {
    case bytes
    /// Blocks, cases, whatever the work falls into.
    case pieces
  }

  public init(activity: String, completed: Int, total: Int, unit: Unit = .bytes) {
    self.activity = activity
    self.completed = completed
    self.total = total
    self.unit = unit
  }
}

/// Receives progress; called from any thread, often, so it must be cheap.
public typealias ProgressHandler = @Sendable (Progress) -> Void
