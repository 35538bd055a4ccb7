/// Where batches come from.
public protocol BatchSource: Sendable {
  /// The batch of a number, from 0; a function of that number alone.
  func batch(step: Int) throws -> TrainingBatch
}
