/// A tensor in a calculation, and how a loss changes with it once that has been asked for.
///
/// Parameters and inputs are made by hand; operations make the others.
public final class Variable: @unchecked Sendable {
  // Sendable, as one thread runs a calculation; threads inside operations see tensors only.

  /// The numbers; a parameter's are changed in place by whoever trains it.
  public let value: Tensor
  /// Whether something that is trained goes into it.
  public let needsGradient: Bool
  /// Where operations on it are recorded; nil when nothing is differentiated.
  public let tape: Tape?
  /// Of the value's shape; nil while nothing has reached it.
  public private(set) var gradient: Tensor?

  /// A value that operations make, or an input.
  public init(_ value: Tensor, tape: Tape? = nil, needsGradient: Bool = false) {
    self.value = value
    self.tape = tape
    self.needsGradient = needsGradient
  }

  public var shape: [Int] { value.shape }

  /// Adds to the gradient.
  ///
  /// - Parameter part: of the value's shape and packed; taken over when it is the first, so nobody
  ///   else may look at it afterwards.
  public func accumulate(_ part: Tensor) {
    guard needsGradient else { return }
    precondition(part.shape == shape, "a gradient \(part.shape) of \(shape)")
    guard let gradient else {
      gradient = part
      return
    }
    gradient.add(part)
  }

  /// Forgets the gradient, and hands it over.
  @discardableResult
  public func takeGradient() -> Tensor? {
    defer { gradient = nil }
    return gradient
  }
}
