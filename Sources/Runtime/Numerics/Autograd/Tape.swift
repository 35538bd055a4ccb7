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
  /// What is kept for the second time, of a calculation that is done twice.
  private let keepsakes: Keepsakes?

  public convenience init(dropout: Dropout? = nil) { self.init(dropout, isRecording: true) }

  init(_ dropout: Dropout?, isRecording: Bool, keepsakes: Keepsakes? = nil) {
    self.dropout = dropout
    self.isRecording = isRecording
    self.keepsakes = keepsakes
  }

  /// Whether results are made to be differentiated, now or when they are made again.
  var isTraining: Bool { isRecording || keepsakes != nil }

  /// Results that are small beside the work they take: the first time made and kept, the second
  /// time handed out.
  func keeping(_ make: () -> [Tensor]) -> [Tensor] {
    guard let keepsakes else { return make() }
    return isRecording ? keepsakes.removeFirst() : keepsakes.append(make())
  }

  func record(_ result: Gradient, backward: @escaping (Tensor) -> Void) {
    guard isRecording else { return }
    steps.append {
      guard let gradient = result.take() else { return }
      backward(gradient)
    }
  }

  /// Does something when everything recorded after it has been differentiated.
  public func whenReached(_ body: @escaping () -> Void) {
    if isRecording { steps.append(body) }
  }

  /// Differentiates whatever has a gradient by now, the last operation first.
  public func runBackward() {
    while let step = steps.popLast() { step() }
  }
}

/// Results of a calculation in the order in which it makes them.
final class Keepsakes: @unchecked Sendable {
  // Sendable, as the thread that differentiates is the only one that looks at them.
  private var results: [[Tensor]] = []

  func append(_ result: [Tensor]) -> [Tensor] {
    results.append(result)
    return result
  }

  func removeFirst() -> [Tensor] { results.removeFirst() }
}
