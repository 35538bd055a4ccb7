/// What a run is trained on, and how long it lasts with that.
public struct TrainingData: Sendable {
  public let source: any CountedSource
  public let steps: Int
  public let scheduleLength: Int

  public init(_ source: any CountedSource, _ configuration: TrainingConfiguration) throws {
    self.source = source
    let perStep = configuration.accumulate
    epoch = max(1, (source.count + perStep - 1) / perStep)
    (steps, scheduleLength) = configuration.lengths(epoch: epoch)
  }

  /// Steps that see everything once.
  public let epoch: Int

  public var slices: Int { source.slices }
  public var identity: String { source.identity }
}

/// A source that begins anew after some batches.
public protocol CountedSource: BatchSource {
  /// The batches that show everything once.
  var count: Int { get }
  /// Of each stack.
  var slices: Int { get }
  /// What tells these data from others.
  var identity: String { get }
}
