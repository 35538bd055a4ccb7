import Dispatch
import Synchronization

/// How many threads `parallelFor` may use; set once by the command line.
public enum Threads {
  private static let limit = Atomic<Int>(0)
  /// Asked once: the system answers by reading a file, which takes longer than small work does.
  private static let processors = availableProcessors

  /// The number of threads to use, at least one; all processors that were active at the start unless
  /// set.
  public static var count: Int {
    let set = limit.load(ordering: .relaxed)
    return set > 0 ? set : processors
  }

  public static func setCount(_ count: Int) {
    limit.store(max(1, count), ordering: .relaxed)
  }
}

/// Runs `body` for every index of `0..<count`, in any order, on up to `Threads.count` threads.
///
/// Indices are handed out one `grain` at a time, so uneven work balances itself.
public func parallelFor(count: Int, grain: Int = 1, _ body: @Sendable (Int) -> Void) {
  precondition(grain > 0)
  let pieces = (count + grain - 1) / grain
  let workers = pieces > 1 ? min(Threads.count, pieces) : 1
  guard workers > 1 else {
    for index in 0..<count { body(index) }
    return
  }
  let next = Atomic<Int>(0)
  DispatchQueue.concurrentPerform(iterations: workers) { _ in
    while case let start = next.add(grain, ordering: .relaxed).oldValue, start < count {
      for index in start..<min(start + grain, count) { body(index) }
    }
  }
}

/// The same for work that can fail: the first error stops the hand-out and is rethrown.
public func parallelFor(
  count: Int, grain: Int = 1, _ body: @Sendable (Int) throws -> Void
) throws {
  let hasFailed = Atomic<Bool>(false)
  let failure = Mutex<(any Error)?>(nil)
  let attempt: @Sendable (Int) -> Void = { index in
    guard !hasFailed.load(ordering: .relaxed) else { return }
    do {
      try body(index)
    } catch {
      hasFailed.store(true, ordering: .relaxed)
      failure.withLock { $0 = $0 ?? error }
    }
  }
  parallelFor(count: count, grain: grain, attempt)
  if let error = failure.withLock({ $0 }) { throw error }
}
