import Formats

/// A tensor that is calculated from others when it is written.
public struct Computation: Sendable {
  /// What is done, such as "merged"; for people who read the plan.
  public let verb: String
  public let inputs: [Blueprint.Entry]
  private let make: @Sendable (TensorInfo) throws -> any TensorReader

  /// - Parameter make: starts the calculation; called whenever the tensor is read, from any thread.
  init(
    _ verb: String, of inputs: [Blueprint.Entry],
    make: @escaping @Sendable (TensorInfo) throws -> any TensorReader
  ) {
    self.verb = verb
    self.inputs = inputs
    self.make = make
  }

  func reader(for info: TensorInfo) throws -> any TensorReader { try make(info) }
}
