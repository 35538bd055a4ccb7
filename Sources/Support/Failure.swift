/// What an error means to the caller, whatever floor it comes from.
///
/// The raw value is the process exit code of `sysexits.h` that the `wt` command reports.
public enum FailureCategory: Int32, Sendable, CaseIterable {
  case usage = 64
  case badData = 65
  case inputUnavailable = 66
  case internalBug = 70
  case outputUnavailable = 73
  case inputOutput = 74
}

/// An error with everything a user needs: what, where, expected, found, and what to do.
public protocol Failure: Error, CustomStringConvertible {
  /// The stable name of the cause, used in `--json` and in tests.
  var codeName: String { get }
  var category: FailureCategory { get }
}

extension Failure {
  /// The form of every failure's text: where, what, expected and found, and what to do.
  public static func text(
    file: String?, subject: String?, sentence: String, offset: Int? = nil, expected: String?,
    found: String?, remedy: String?
  ) -> String {
    var text = ""
    if let file { text += file + ": " }
    if let subject { text += "'\(subject)': " }
    text += sentence
    if let offset { text += " at byte \(offset)" }
    switch (expected, found) {
    case (let expected?, let found?): text += ": expected \(expected), found \(found)"
    case (let expected?, nil): text += ": expected \(expected)"
    case (nil, let found?): text += ": \(found)"
    case (nil, nil): break
    }
    if let remedy { text += "; \(remedy)" }
    // Whatever part came from a file: it cannot steer a terminal, nor fill it.
    return text.escapedForDisplay.shortened(to: 4000)
  }
}
