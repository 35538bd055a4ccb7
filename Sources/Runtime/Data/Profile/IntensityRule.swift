/// How a scan's intensities become a model's input.
public struct IntensityRule: Sendable, Equatable {
  /// What intensities are cut at; nil leaves that end open.
  public struct Limits: Sendable, Equatable {
    public var lower: Double?
    public var upper: Double?

    public init(lower: Double? = nil, upper: Double? = nil) {
      self.lower = lower
      self.upper = upper
    }

    var isOpen: Bool { lower == nil && upper == nil }
  }

  public enum Normalisation: String, Sendable, CaseIterable {
    /// Each stack of slices from its least to its largest number.
    case stack
    /// The whole volume from its least to its largest number.
    case volume
    /// Not at all: colours are from 0 to 1 already.
    case none
  }

  /// In the scan's own units, such as Hounsfield's.
  public var clip: Limits
  /// From 0 to 100, of all the volume's voxels.
  public var percentiles: Limits
  public var normalise: Normalisation

  public init(
    clip: Limits = Limits(), percentiles: Limits = Limits(), normalise: Normalisation
  ) {
    self.clip = clip
    self.percentiles = percentiles
    self.normalise = normalise
  }

  /// What a dataset leaves to whoever reads a stack.
  public var remaining: DatasetNormalisation { normalise == .stack ? .stack : .none }
}

/// A rule applied to one scan: where its intensities are cut and how they are scaled.
public struct IntensityTransform: Sendable, Equatable {
  let lower: Double
  let upper: Double
  /// Subtracted after the cut, and what the rest is divided by; nil leaves it.
  let range: (offset: Double, extent: Double)?

  public static func == (left: Self, right: Self) -> Bool {
    left.lower == right.lower && left.upper == right.upper
      && left.range?.offset == right.range?.offset && left.range?.extent == right.range?.extent
  }

  /// Looks at all of the scan if the rule needs it.
  ///
  /// - Throws: what reading the scan throws.
  public init(_ rule: IntensityRule, for scan: any Scan) throws {
    var (lower, upper) = (rule.clip.lower ?? -.infinity, rule.clip.upper ?? .infinity)
    if !rule.percentiles.isOpen {
      var numbers: [Float] = []
      numbers.reserveCapacity(scan.width * scan.height * scan.slices * scan.channels)
      for slice in 0..<scan.slices { numbers += try scan.plane(slice) }
      numbers.sort()
      if let part = rule.percentiles.lower { lower = max(lower, percentile(numbers, part)) }
      if let part = rule.percentiles.upper { upper = min(upper, percentile(numbers, part)) }
    }
    (self.lower, self.upper) = (lower, max(lower, upper))
    guard rule.normalise == .volume else {
      range = nil
      return
    }
    var (least, most) = (Double.infinity, -Double.infinity)
    for slice in 0..<scan.slices {
      for number in try scan.plane(slice) {
        least = min(least, Double(number))
        most = max(most, Double(number))
      }
    }
    let offset = min(max(least, self.lower), self.upper)
    range = (offset, min(max(most, self.lower), self.upper) - offset)
  }

  /// An intensity after the rule; of a constant volume it is zero.
  public func callAsFunction(_ intensity: Float) -> Double {
    let cut = min(max(Double(intensity), lower), upper)
    guard let range else { return cut }
    return range.extent > 0 ? (cut - range.offset) / range.extent : 0
  }
}

/// The linear interpolation between the two numbers around a part of a hundred.
///
/// Source: numpy.percentile with method 'linear'.
func percentile(_ sorted: [Float], _ part: Double) -> Double {
  guard let last = sorted.indices.last else { return 0 }
  let place = part / 100 * Double(last)
  let first = min(Int(place), last)
  let (low, high) = (Double(sorted[first]), Double(sorted[min(first + 1, last)]))
  return low + (high - low) * (place - Double(first))
}
