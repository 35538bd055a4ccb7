import Synchronization

/// Adds up what several threads have done and reports it.
public final class ProgressCounter: Sendable {
  private let activity: String
  private let total: Int
  private let unit: Progress.Unit
  private let handler: ProgressHandler
  private let completed = Atomic<Int>(0)

  public init(
    _ activity: String, total: Int, unit: Progress.Unit = .bytes,
    _ handler: @escaping ProgressHandler
  ) {
    self.activity = activity
    self.total = total
    self.unit = unit
    self.handler = handler
  }

  public func add(_ count: Int) {
    let now = completed.add(count, ordering: .relaxed).newValue
    handler(Progress(activity: activity, completed: now, total: total, unit: unit))
  }
}
