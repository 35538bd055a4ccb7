/// A tensor in a calculation, with a place for how a loss changes with it if anybody asks.
///
/// Parameters and inputs are made by hand; operations make the others.
public struct Variable: Sendable {
  /// The numbers; a parameter's are changed in place by whoever trains it.
  public let value: Tensor
  /// Nil when nothing that is trained goes into the value.
  public let gradient: Gradient?
  /// Where operations on it are recorded; nil when nothing is differentiated.
  public let tape: Tape?

  /// A value that nothing trained goes into, unless it has a gradient.
  public init(_ value: Tensor, gradient: Gradient? = nil, tape: Tape? = nil) {
    precondition(gradient.map { $0.shape == value.shape } ?? true)
    self.value = value
    self.gradient = gradient
    self.tape = tape
  }

  /// A parameter that is trained.
  public static func trained(_ value: Tensor) -> Variable {
    Variable(value, gradient: Gradient(value.shape))
  }

  public var shape: [Int] { value.shape }

  /// Whether operations on it are remembered, so that nobody may change its numbers.
  var isRecorded: Bool { tape?.isRecording ?? false }

  /// The same where a calculation is recorded: how a parameter enters one.
  public func on(_ tape: Tape?) -> Variable { Variable(value, gradient: gradient, tape: tape) }

  /// The result of an operation on this and other variables, recorded where this one is.
  ///
  /// - Parameter backward: given the gradient of the result, which it may take over; adds to those
  ///   of the operands.
  func result(
    _ value: Tensor, with others: [Variable?] = [], backward: @escaping (Tensor) -> Void
  ) -> Variable {
    let isTrained = gradient != nil || others.contains { $0?.gradient != nil }
    guard isTrained else { return Variable(value, tape: tape) }
    let gradient = Gradient(value.shape)
    tape?.record(gradient, backward: backward)
    return Variable(value, gradient: gradient, tape: tape)
  }
}

/// How a loss changes with a tensor.
public final class Gradient: @unchecked Sendable {
  // Sendable, as the thread that differentiates is the only one that looks at it.
  public let shape: [Int]
  /// Packed; nil while nothing has reached it.
  public private(set) var value: Tensor?

  public init(_ shape: [Int]) { self.shape = shape }

  /// Adds a part of the same shape.
  ///
  /// - Parameter part: packed, and taken over when it is the first: nobody else may look at it.
  public func accumulate(_ part: Tensor) {
    precondition(part.shape == shape && part.isPacked, "a gradient \(part.shape) of \(shape)")
    guard let value else {
      value = part
      return
    }
    value.add(part)
  }

  /// Forgets it, and hands it over.
  @discardableResult
  public func take() -> Tensor? {
    defer { value = nil }
    return value
  }
}
