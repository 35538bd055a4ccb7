import Support

/// Why a model cannot be run on what it was given.
public struct RuntimeError: Failure, Equatable {
  public enum Code: String, Sendable {
    case incompleteModel, badInput, notFinite, wrongShape, wrongSize, unsupportedModel,
      notTrainable, goldenMismatch
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
    case .incompleteModel: "the model is not complete"
    case .badInput: "the input cannot be used"
    case .notFinite: "a number is not finite"
    case .wrongShape: "the shape does not fit"
    case .wrongSize: "the image size is not the model's"
    case .unsupportedModel: "the model cannot be run"
    case .notTrainable: "the model cannot be trained"
    case .goldenMismatch: "the golden file does not fit the model"
    }
  }
}
