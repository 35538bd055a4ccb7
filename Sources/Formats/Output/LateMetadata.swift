/// Metadata that needs the digests of what is written, and work that can be done meanwhile.
///
/// Writing leaves a processor idle now and then, as the file is locked for every piece; so this work
/// is done among the tensors.
public struct LateMetadata: Sendable {
  /// The places of the tensors whose SHA-256 are needed.
  public var places: [Int]
  /// How many pieces of other work there are.
  public var jobCount: Int
  public var run: @Sendable (_ job: Int) throws -> Void
  /// Called when all tensors were written and all jobs have run; what it gives must take as many
  /// bytes as the metadata that was given in its place.
  public var complete: @Sendable (_ digests: [Int: String]) throws -> CheckpointMetadata

  public init(
    places: [Int], jobCount: Int, run: @escaping @Sendable (_ job: Int) throws -> Void,
    complete: @escaping @Sendable (_ digests: [Int: String]) throws -> CheckpointMetadata
  ) {
    self.places = places
    self.jobCount = jobCount
    self.run = run
    self.complete = complete
  }
}
