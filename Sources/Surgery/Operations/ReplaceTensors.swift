import Formats

/// Puts numbers from elsewhere, as 32-bit floats, in the place of some tensors.
public struct ReplaceTensors: Operation {
  /// Gives the bytes of a tensor, little-endian in C order; called whenever it is read.
  public typealias Source = @Sendable () throws -> any TensorReader

  private let verb: String
  private let sources: [TensorName: Source]

  /// - Parameter verb: what was done, for people who read the plan.
  public init(_ verb: String, _ sources: [TensorName: Source]) {
    self.verb = verb
    self.sources = sources
  }

  public func apply(to blueprint: inout Blueprint) throws {
    for index in blueprint.entries.indices {
      let entry = blueprint.entries[index]
      guard let source = sources[entry.info.name] else { continue }
      blueprint.entries[index] = Blueprint.Entry(
        info: try TensorInfo(
          name: entry.info.name, dtype: .float32, shape: entry.info.shape),
        origin: .computed(Computation(verb, of: []) { _ in try source() }))
    }
  }
}
