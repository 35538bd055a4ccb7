import Support

/// Why a checkpoint cannot be understood or operated on as asked.
public struct SurgeryError: Failure, Equatable {
  public enum Code: String, Sendable {
    case badManifest, unknownFamily, schemaMismatch, nameCollision, badPattern, badOption
    // Operations
    case notFloat, notFinite, wrongPairing, wrongBase, alreadyAdapted, alreadyMerged, notAdapted
    case overflow, notExpressible, badRecipe, badMetadata, selfCheckFailed
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

  public var category: FailureCategory {
    switch code {
    case .badManifest, .selfCheckFailed: .internalBug
    // The option is at fault, not the file.
    case .unknownFamily, .badPattern: .usage
    default: .badData
    }
  }

  public var description: String {
    Self.text(
      file: file, subject: subject, sentence: sentence, expected: expected, found: found,
      remedy: remedy)
  }

  private var sentence: String {
    switch code {
    case .badManifest: "the manifest is malformed"
    case .unknownFamily: "there is no such family"
    case .schemaMismatch: "the tensors are not those of the family"
    case .nameCollision: "two tensors would get one name"
    case .badPattern: "this is no regular expression"
    case .badOption: "this option does not fit the file"
    case .notFloat: "this tensor holds no floating-point numbers to calculate with"
    case .notFinite: "a number is not finite"
    case .wrongPairing: "the two do not fit together"
    case .wrongBase: "this is not the base that the adapter was made for"
    case .alreadyAdapted: "this model has been adapted before"
    case .alreadyMerged: "this model has been merged before"
    case .notAdapted: "there is nothing here to work on"
    case .overflow: "a number is too large for the type it is converted to"
    case .notExpressible: "this form cannot hold the model"
    case .badMetadata: "the metadata does not describe the tensors"
    case .selfCheckFailed: "a product calculated in two orders is not the same"
    case .badRecipe: "the recipe is malformed"
    }
  }
}
