import Dispatch
import Synchronization

/// How many threads `parallelFor` may use; set once by the command line.
public enum Threads {
  private static let limit = Atomic<Int>(0)

  /// The number of threads to use, at least one; all active processors unless set.
  public static var count: Int {
    let set = limit.load(ordering: .relaxed)
    return set > 0 ? set : availableProcessors
  }

  public static func setCount(_ count: Int) {
    limit.store(max(1, count), ordering: .relaxed)
  }
}

/// Runs `body` for every index of `0..<count`, in any order, on up to `Threads.count` threads.
///
/// Indices are handed out one `grain` at a time, so uneven work balances itself. The first error
/// thrown stops the hand-out and is rethrown.
public func parallelFor(
  count: Int, grain: Int = 1, _ body: @Sendable (Int) throws -> Void
) throws {
  let workers = min(Threads.count, (count + grain - 1) / max(1, grain))
  guard workers > 1 else {
    for index in 0..<count { try body(index) }
    return
  }
  let next = Atomic<Int>(0)
  let failure = Mutex<(any Error)?>(nil)
  DispatchQueue.concurrentPerform(iterations: workers) { _ in
    while true {
      let start = next.add(grain, ordering: .relaxed).oldValue
      guard start < count else { return }
      do {
        for index in start..<min(start + grain, count) { try body(index) }
      } catch {
        next.store(count, ordering: .relaxed)
        failure.withLock { $0 = $0 ?? error }
        return
      }
    }
  }
  if let error = failure.withLock({ $0 }) { throw error }
}
