import Numerics

/// A parameter that is trained, and how the loss changes with it.
public struct TrainedTensor: Sendable {
  public var name: String
  /// The numbers, packed, which training changes in place.
  public var value: Tensor
  /// Of the value's shape and packed; nil when the loss did not reach it.
  public var gradient: Tensor?

  public init(name: String, value: Tensor, gradient: Tensor? = nil) {
    precondition(value.isPacked && gradient.map { $0.shape == value.shape && $0.isPacked } ?? true)
    self.name = name
    self.value = value
    self.gradient = gradient
  }
}
