/// What was measured of one class in one case.
public struct ClassResult: Sendable, Equatable {
  public var overlap: Overlap
  private var values: [Metric: Double]

  public init(overlap: Overlap, values: [Metric: Double] = [:]) {
    self.overlap = overlap
    self.values = values
  }

  /// A metric's value, nil where it is undefined or was not asked for.
  public subscript(_ metric: Metric) -> Double? {
    get { values[metric] }
    set { values[metric] = newValue }
  }
}
