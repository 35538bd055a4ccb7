import Support

/// The rules that turn a source of scans into training data, and scans into a model's input.
public struct Profile: Sendable, Equatable {
  /// Intensity rules by the numbers at the end of cases' names, where a source mixes kinds of scans.
  public struct Variant: Sendable, Equatable {
    /// Nil for any case.
    public var numbers: ClosedRange<Int>?
    public var rule: IntensityRule

    public init(numbers: ClosedRange<Int>? = nil, rule: IntensityRule) {
      self.numbers = numbers
      self.rule = rule
    }
  }

  public var name: String
  /// One at least.
  public var intensity: [Variant]
  public var orientation: Orientation
  /// Pixels a side that slices are brought to; nil keeps their own.
  public var size: Int?
  /// Of the foreground; empty in what a model carries.
  public var classNames: [String]
  public var labels: LabelMap
  /// One, or several folds to choose from.
  public var splits: [SplitRule]

  public init(
    name: String, intensity: [Variant], orientation: Orientation, size: Int? = nil,
    classNames: [String] = [], labels: LabelMap = LabelMap([:]), splits: [SplitRule] = []
  ) {
    self.name = name
    self.intensity = intensity
    self.orientation = orientation
    self.size = size
    self.classNames = classNames
    self.labels = labels
    self.splits = splits
  }

  /// The rule for a case of that name, nil when there is none.
  public func rule(for name: String) -> IntensityRule? {
    let number = trailingNumber(name)
    return intensity.first { variant in
      variant.numbers.map { range in number.map(range.contains) ?? false } ?? true
    }?.rule
  }

  /// Whether both make the same input of every scan.
  public func agrees(with other: Profile) -> Bool {
    intensity == other.intensity && orientation == other.orientation
  }

  /// What a model has to know of the profile, on one line; `Profile(yaml:)` reads it.
  public var modelText: String {
    JSON.object([
      ("name", .string(name)), ("intensity", .array(intensity.map(\.json))),
      ("orientation", .string(orientation.rawValue)),
    ]).encoded()
  }
}

extension Profile.Variant {
  fileprivate var json: JSON {
    var fields: [(key: String, value: JSON)] = []
    if let numbers {
      fields.append(("numbers", .array([.int(numbers.lowerBound), .int(numbers.upperBound)])))
    }
    if !rule.clip.isOpen { fields.append(("clip", rule.clip.json)) }
    if !rule.percentiles.isOpen { fields.append(("percentiles", rule.percentiles.json)) }
    fields.append(("normalise", .string(rule.normalise.rawValue)))
    return .object(fields)
  }
}

extension IntensityRule.Limits {
  fileprivate var json: JSON {
    .array([lower.map(JSON.double) ?? .null, upper.map(JSON.double) ?? .null])
  }
}
