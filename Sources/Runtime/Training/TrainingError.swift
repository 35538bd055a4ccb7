import Formats
import Support

/// Why a model cannot be trained as asked.
public struct TrainingError: Failure, Equatable {
  public enum Code: String, Sendable {
    case badConfiguration, unknownConfiguration, otherConfiguration
    // Numbers and data
    case notFinite, badBatches, wrongShape, labelOutOfRange, dataMismatch, noSamples
    // Run directories
    case locked, notARun, badRun, noGoodCheckpoint, stateMismatch
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
    self.found = found?.escapedForDisplay.shortened()
    self.remedy = remedy
  }

  public var codeName: String { code.rawValue }

  public var category: FailureCategory {
    switch code {
    case .unknownConfiguration: .usage
    // Without a file the options are at fault.
    case .badConfiguration: file == nil ? .usage : .badData
    case .locked, .notARun: .outputUnavailable
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
    case .badConfiguration: "the training configuration cannot be used"
    case .unknownConfiguration: "there is no such configuration"
    case .otherConfiguration: "the run was begun with another configuration"
    case .notFinite: "a number is not finite"
    case .badBatches: "the batches cannot be used"
    case .wrongShape: "the shape does not fit"
    case .labelOutOfRange: "a label is no class of the model"
    case .dataMismatch: "the data do not fit the model"
    case .noSamples: "there is nothing to train on"
    case .locked: "another process is training in this directory"
    case .notARun: "the directory is in use for something else"
    case .badRun: "the run directory is damaged"
    case .noGoodCheckpoint: "no checkpoint of the run is whole"
    case .stateMismatch: "the optimiser's state does not fit the model"
    }
  }
}
