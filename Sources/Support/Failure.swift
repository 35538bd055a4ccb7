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
