import Support

/// Why a segmentation cannot be held against its reference.
public struct EvaluationError: Failure, Equatable {
  public enum Code: String, Sendable, CaseIterable {
    /// Grids that are not the same.
    case shapeMismatch, affineMismatch
    /// Files without a partner, or of which one is a volume and the other a picture.
    case missingPrediction, noPairs, kindMismatch
    /// A volume that is no map of labels.
    case notALabelMap
  }

  public var code: Code
  public var file: String?
  public var subject: String?
  public var expected: String?
  public var found: String?
  public var remedy: String?

  public init(
    _ code: Code, file: String? = nil, subject: String? = nil, expected: String? = nil,
    found: String? = nil, remedy: String? = nil
  ) {
    self.code = code
    self.file = file
    self.subject = subject?.escapedForDisplay.shortened()
    self.expected = expected
    self.found = found
    self.remedy = remedy
  }

  public var codeName: String { code.rawValue }
  public var category: FailureCategory { .badData }

  public var description: String {
    Self.text(
      file: file, subject: subject, sentence: sentence, expected: expected, found: found,
      remedy: remedy)
  }

  private var sentence: String {
    switch code {
    case .shapeMismatch: "the shape is not the reference's"
    case .affineMismatch: "the voxels do not lie where the reference's do"
    case .missingPrediction: "references have no prediction"
    case .noPairs: "no files of the same name were found"
    case .kindMismatch: "a volume cannot be held against a picture"
    case .notALabelMap: "this is no map of labels"
    }
  }
}
