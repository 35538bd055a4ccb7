import Support

/// Why training data cannot be made or used.
public struct DatasetError: Failure, Equatable {
  public enum Code: String, Sendable, CaseIterable {
    /// A file that is no dataset, or one whose parts contradict each other.
    case notADataset, badDataset
    case labelOutOfRange, notFinite
    /// A profile that cannot be read.
    case badProfile, unknownProfile
    /// A model without rules for its input, and one whose rules are not those asked for.
    case noProfile, differentProfile
    case badBox
    /// A source folder whose layout is not known, and one whose files do not fit together.
    case noCases, faultySource, badList
  }

  public var code: Code
  public var file: String?
  public var subject: String?
  public var expected: String?
  public var found: String?
  public var remedy: String?
  /// Everything that was found, a line for each.
  public var items: [String]

  public init(
    _ code: Code, file: String? = nil, subject: String? = nil, expected: String? = nil,
    found: String? = nil, remedy: String? = nil, items: [String] = []
  ) {
    self.code = code
    self.file = file
    self.subject = subject?.escapedForDisplay.shortened()
    self.expected = expected
    self.found = found
    self.remedy = remedy
    self.items = items
  }

  public var codeName: String { code.rawValue }
  public var category: FailureCategory { code == .unknownProfile ? .usage : .badData }

  public var description: String {
    let lines = items.map { "\n  " + $0.escapedForDisplay.shortened(to: 1000) }
    return Self.text(
      file: file, subject: subject, sentence: sentence, expected: expected, found: found,
      remedy: remedy) + lines.joined()
  }

  private var sentence: String {
    switch code {
    case .notADataset: "this is no dataset that 'wt prepare' wrote"
    case .badDataset: "the parts of the dataset do not fit together"
    case .labelOutOfRange: "a label is no class of the dataset"
    case .notFinite: "a number is not finite"
    case .badProfile: "the profile is malformed"
    case .unknownProfile: "there is no such profile"
    case .noProfile: "nothing says how intensities become the model's input"
    case .differentProfile: "the model was made for other intensities or another orientation"
    case .badBox: "the box does not fit"
    case .noCases: "no cases were found"
    case .faultySource: "the source cannot be used as it is"
    case .badList: "the list of cases is malformed"
    }
  }
}
