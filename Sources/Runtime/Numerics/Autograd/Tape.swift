/// Remembers operations in order, and differentiates them backwards.
///
/// Only operations that something trained goes into are remembered, and each forgets what it kept as
/// soon as its turn is over. Source: reverse mode, Griewank and Walther, "Evaluating Derivatives"
/// (2008), chapter 3.
public final class Tape {
  private var steps: [() -> Void] = []
  /// What is dropped at random while training, nil when nothing is.
  public let dropout: Dropout?

  public init(dropout: Dropout? = nil) { self.dropout = dropout }

  /// Remembers how a result's gradient becomes its inputs'.
  ///
  /// - Parameter backward: given the result's gradient, which it may take over.
  func record(_ result: Variable, backward: @escaping (Tensor) -> Void) {
    steps.append {
      guard let gradient = result.takeGradient() else { return }
      backward(gradient)
    }
  }

  /// Differentiates whatever has a gradient by now, the last operation first.
  public func runBackward() {
    while let step = steps.popLast() { step() }
  }
}

/// Numbers that are set to zero at random, the others scaled up so that the mean stays.
///
/// What is dropped is a function of seed, step and place, so a calculation that is repeated drops
/// the same. Source: Srivastava et al., "Dropout" (2014).
public struct Dropout: Sendable {
  /// The share that is dropped, in [0, 1).
  public var rate: Float
  public var seed: UInt64
  public var step: UInt32

  public init(rate: Float, seed: UInt64, step: UInt32) {
    precondition(rate >= 0 && rate < 1)
    self.rate = rate
    self.seed = seed
    self.step = step
  }
}
