/// What was measured of one pair of files.
public struct CaseResult: Sendable, Equatable {
  public var prediction: String
  public var reference: String
  /// For every class of the summary, in its order.
  public var classes: [ClassResult]
  /// The longest way through the volume, in the unit of the distances.
  public var diagonal: Double

  public init(prediction: String, reference: String, classes: [ClassResult], diagonal: Double) {
    self.prediction = prediction
    self.reference = reference
    self.classes = classes
    self.diagonal = diagonal
  }
}

/// Means over cases and classes, and how many values they are the means of.
public struct EvaluationSummary: Sendable {
  /// A mean over those cases in which the metric is defined.
  public struct Mean: Sendable, Equatable {
    /// Nil if it is defined nowhere.
    public var value: Double?
    /// How many cases have a value.
    public var defined: Int
    /// The same mean with the volume's diagonal for every missed or invented object, for distances.
    public var penalised: Double?
  }

  public var convention: EvaluationProtocol
  public var metrics: [Metric]
  public var tolerance: Double
  /// Labels and their names, in the order of the results.
  public var classes: [(label: UInt16, name: String)]
  public var cases: [CaseResult]

  public init(
    convention: EvaluationProtocol, metrics: [Metric], tolerance: Double,
    classes: [(label: UInt16, name: String)], cases: [CaseResult]
  ) {
    self.convention = convention
    self.metrics = metrics
    self.tolerance = tolerance
    self.classes = classes
    self.cases = cases
  }

  /// The mean of one class over all cases.
  public func mean(_ metric: Metric, ofClass place: Int) -> Mean {
    let values = cases.compactMap { $0.classes[place][metric] }
    var penalised: [Double] = []
    if metric.isDistance {
      for item in cases where item.classes[place].overlap.isAnywhere {
        let isMissed = item.classes[place].overlap.isOneSided
        penalised.append(isMissed ? item.diagonal : item.classes[place][metric] ?? .nan)
      }
    }
    return Mean(value: mean(values), defined: values.count, penalised: mean(penalised))
  }

  /// The mean that stands for everything: over frames for `endovis18`, else over classes.
  ///
  /// nnU-Net's own Dice and IoU are undefined as soon as one class never occurs; all other means
  /// leave out what is undefined.
  public func foregroundMean(_ metric: Metric) -> Double? {
    if convention.averagesEachCase {
      return mean(cases.compactMap { item in mean(item.classes.compactMap { $0[metric] }) })
    }
    let values = foreground.map { mean(metric, ofClass: $0).value }
    let isStrict = convention == .nnunet && (metric == .dice || metric == .iou)
    if isStrict, values.contains(nil) { return nil }
    return mean(values.compactMap(\.self))
  }

  /// The mean over classes with the diagonal for every missed or invented object.
  public func penalisedMean(_ metric: Metric) -> Double? {
    mean(foreground.compactMap { mean(metric, ofClass: $0).penalised })
  }

  /// The places of all classes but the background.
  var foreground: [Int] { classes.indices.filter { classes[$0].label != 0 } }

  func mean(_ numbers: [Double]) -> Double? {
    numbers.isEmpty ? nil : numbers.reduce(0, +) / Double(numbers.count)
  }
}

extension Overlap {
  var isAnywhere: Bool { isPredicted || isReferred }
  var isOneSided: Bool { isPredicted != isReferred }
}
