import CHDF5
import Dispatch

/// The one door to libhdf5, which must not be entered by two threads at once.
///
/// Handles, the library's error stack and the driver's state are touched inside `run` alone.
enum HDF5Library {
  private static let queue = DispatchQueue(label: "wt.hdf5")
  nonisolated(unsafe) private static var isStarted = false
  /// What a driver's call threw; the library knows only that the call failed.
  nonisolated(unsafe) private static var driverFailure: (any Error)?

  /// Runs `body` while no other thread uses the library; it must not call `run` itself.
  static func run<Result>(_ body: () throws -> Result) rethrows -> Result {
    try queue.sync {
      start()
      driverFailure = nil
      // A thread-safe build has an error stack for each thread, each of which prints by default.
      H5Eset_auto2(wt_H5E_DEFAULT, nil, nil)
      return try body()
    }
  }

  private static func start() {
    guard !isStarted else { return }
    isStarted = true
    // Files that a dying process has open must not be completed: a half-written one never counts.
    H5dont_atexit()
    H5open()
    // No filter is ever loaded from a plugin, whatever HDF5_PLUGIN_PATH says.
    H5PLset_loading_state(0)
    HDF5GlobalHeap.registerDescriptors()
  }

  /// Remembers why a driver's call failed, until the library has reported that it did.
  static func note(_ error: any Error) { driverFailure = driverFailure ?? error }

  /// Throws what lies behind a failure of the library, in words of `activity` and its own.
  static func failure(_ activity: String) -> any Error {
    defer { H5Eclear2(wt_H5E_DEFAULT) }
    if let driverFailure { return driverFailure }
    let reason = innermostReason ?? "no reason given"
    let isVersion = reason.contains("version")
    return FormatError(
      .hdf5Error, found: "\(activity): \(reason)",
      remedy: isVersion ? "if a newer HDF5 wrote it, save it again with libver='v110'" : nil)
  }

  /// Whether a chunk was not found because it was never written.
  ///
  /// The library has no other way to tell that from damage. A version that words it differently
  /// so reports an error, never wrong data.
  static var failureMeansAbsence: Bool {
    guard driverFailure == nil, let reason = innermostReason else { return false }
    return ["chunk address isn't defined", "storage is not initialized"].contains(reason)
  }

  /// The entry of the error stack that lies nearest to the cause.
  private static var innermostReason: String? {
    var reason: String?
    withUnsafeMutablePointer(to: &reason) { reason in
      _ = H5Ewalk2(
        wt_H5E_DEFAULT, H5E_WALK_UPWARD,
        { index, entry, reason in
          guard index == 0, let description = entry?.pointee.desc else { return 0 }
          reason?.assumingMemoryBound(to: String?.self).pointee = String(cString: description)
          return 0
        }, reason)
    }
    return reason
  }

  /// Passes a status on, or throws the reason of the failure that it is.
  @discardableResult
  static func check<Status: SignedInteger>(_ status: Status, _ activity: String) throws -> Status {
    guard status >= 0 else { throw failure(activity) }
    return status
  }

  /// Lets go of a handle of any kind.
  static func close(_ handle: hid_t) { H5Idec_ref(handle) }
}
