/// Remembers operations in order, and differentiates them backwards.
///
/// Only operations that something trained goes into are remembered, and each forgets what it kept as
/// soon as its turn is over. Source: Griewank and Walther, "Evaluating Derivatives" (2008), chapter 3.
public final class Tape: @unchecked Sendable {
  // Sendable, as one thread calculates and differentiates.
  private var steps: [() -> Void] = []
  /// Whether operations are remembered; else the tape only says what is dropped.
  public let isRecording: Bool
  /// What is dropped at random while training, nil when nothing is.
  public let dropout: Dropout?

  public init(dropout: Dropout? = nil, isRecording: Bool = true) {
    self.dropout = dropout
    self.isRecording = isRecording
  }

  func record(_ result: Gradient, backward: @escaping (Tensor) -> Void) {
    guard isRecording else { return }
    steps.append {
      guard let gradient = result.take() else { return }
      backward(gradient)
    }
  }

  /// Differentiates whatever has a gradient by now, the last operation first.
  public func runBackward() {
    while let step = steps.popLast() { step() }
  }
}

extension Variable {
  /// The result of a calculation of which only the input is kept: it is done again, in the same way,
  /// when it is differentiated.
  ///
  /// Source: Chen et al., "Training deep nets with sublinear memory cost" (2016).
  ///
  /// - Parameter body: must not change its input's numbers.
  public func recomputed(_ body: @escaping (Variable) -> Variable) -> Variable {
    guard let tape, tape.isRecording else { return body(self) }
    let dropout = tape.dropout
    let (input, kept) = (value, gradient)
    let first = body(
      Variable(value, gradient: gradient, tape: Tape(dropout: dropout, isRecording: false)))
    guard first.gradient != nil else { return Variable(first.value, tape: tape) }
    let result = Gradient(first.shape)
    tape.record(result) { gradient in
      let inner = Tape(dropout: dropout)
      let again = body(Variable(input, gradient: kept, tape: inner))
      again.gradient?.accumulate(gradient)
      inner.runBackward()
    }
    return Variable(first.value, gradient: result, tape: tape)
  }
}
