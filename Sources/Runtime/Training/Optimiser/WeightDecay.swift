/// How much of every parameter is taken away at each step.
public struct WeightDecay: Sendable, Equatable {
  public var rate: Double
  /// Whether biases and the gains of normalisations decay like the rest, as published.
  public var includesVectors: Bool

  public init(rate: Double, includesVectors: Bool = true) {
    self.rate = rate
    self.includesVectors = includesVectors
  }

  /// The rate of one tensor; biases and gains are those of a single axis.
  public func callAsFunction(_ tensor: TrainedTensor) -> Double {
    includesVectors || tensor.value.shape.count > 1 ? rate : 0
  }
}
