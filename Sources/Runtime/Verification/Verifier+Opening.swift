import Formats
import Support
import Surgery

extension Verifier {
  /// What is to be verified: a model, or the levels that say why there is none.
  public enum Subject: Sendable {
    case model(Verifier)
    case failed([VerificationReport.Level])
  }

  /// The levels that need nothing but the model, in their order.
  static let ownNames = ["container", "schema", "finite", "provenance"]

  /// Opens and plans a model; a damaged one fails the level that notices.
  ///
  /// - Throws: what `open` throws when the file cannot be read or is no checkpoint at all.
  public static func examine(
    tolerance: Double = 2e-5, toolVersion: String,
    progress: @escaping ProgressHandler = { _ in }, open: () throws -> any Checkpoint
  ) throws -> Subject {
    let model: any Checkpoint
    do {
      model = try open()
    } catch let error as FormatError where error.isDamage {
      return .failed(levels(failing: "container", error))
    }
    do {
      return .model(
        try Verifier(model, tolerance: tolerance, toolVersion: toolVersion, progress: progress))
    } catch let error as SurgeryError where error.category == .badData {
      return .failed(try levels(ofOpened: model, error, progress))
    }
  }

  /// Levels that could not be tried.
  public static func notRun(_ names: some Sequence<String>) -> [VerificationReport.Level] {
    names.map { .init($0, .notRun, "what it needs has failed") }
  }

  /// The levels up to one that failed, and those that nothing can be said of then.
  static func levels(
    failing name: String, _ error: any Failure,
    passed: [VerificationReport.Level] = []
  ) -> [VerificationReport.Level] {
    let rest = ownNames.dropFirst(passed.count + 1)
    return passed + [.init(name, .failed, "\(error) [\(error.codeName)]")] + notRun(rest)
  }

  /// The levels of a sound file that holds no complete model.
  private static func levels(
    ofOpened model: any Checkpoint, _ error: SurgeryError, _ progress: @escaping ProgressHandler
  ) throws -> [VerificationReport.Level] {
    do {
      _ = try model.tensorDigests(progress)
    } catch let damage as FormatError where damage.isDamage {
      return levels(failing: "container", damage)
    }
    return levels(failing: "schema", error, passed: [container(model)])
  }

  static func container(_ model: any Checkpoint) -> VerificationReport.Level {
    .init(
      "container", .passed,
      "\(model.container.rawValue), \(model.tensors.count) tensors, "
        + "\(model.totalByteCount) bytes, checksums as the file has them")
  }
}

extension FormatError {
  /// Whether a file is a checkpoint of some container, but not a sound one.
  ///
  /// A file of another kind, one that cannot be read, and a wrong option are no findings about a model.
  var isDamage: Bool {
    switch code {
    case .unknownFormat, .unsupportedContainer, .notRegularFile, .fileChanged, .keyNotFound,
      .ambiguousRoot, .headerTooSmall:
      false
    case .truncated where offset == 0: false
    default: category == .badData
    }
  }
}
