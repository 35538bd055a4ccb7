import Dispatch
import Synchronization

/// Prepares the next batch while the present one is worked on.
///
/// What it gives is what the source beneath gives, error or batch.
public final class PrefetchingSource: BatchSource {
  private let base: any BatchSource
  /// One past the last batch that anybody will ask for.
  private let end: Int
  private let queue = DispatchQueue(label: "batches", qos: .userInitiated)
  private let next = Mutex<Preparation?>(nil)

  /// - Parameter end: one past the last batch of the run, beyond which nothing is prepared.
  public init(_ base: any BatchSource, end: Int) {
    self.base = base
    self.end = end
  }

  public var batchesPerEpoch: Int { base.batchesPerEpoch }
  public var isCyclic: Bool { base.isCyclic }

  public func batch(step: Int) throws -> TrainingBatch {
    let prepared = next.withLock { next -> Preparation? in
      defer { next = nil }
      return next
    }
    let wanted = prepared?.step == step ? prepared : nil
    let result = wanted?.wait() ?? Result { try base.batch(step: step) }
    if case .success = result, step + 1 < end { prepare(step + 1) }
    return try result.get()
  }

  private func prepare(_ step: Int) {
    let preparation = Preparation(step: step)
    next.withLock { $0 = preparation }
    let base = base
    queue.async { preparation.finish(Result { try base.batch(step: step) }) }
  }

  /// A batch in the making.
  private final class Preparation: Sendable {
    let step: Int
    private let result = Mutex<Result<TrainingBatch, any Error>?>(nil)
    private let isDone = DispatchSemaphore(value: 0)

    init(step: Int) { self.step = step }

    func finish(_ result: Result<TrainingBatch, any Error>) {
      self.result.withLock { $0 = result }
      isDone.signal()
    }

    /// Waits for it; nil is never given, as whoever finishes puts something there.
    func wait() -> Result<TrainingBatch, any Error>? {
      isDone.wait()
      return result.withLock { $0 }
    }
  }
}
