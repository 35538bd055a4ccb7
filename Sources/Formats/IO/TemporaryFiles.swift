import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Temporary files that exist now, so that an interrupted process can take them along.
public enum TemporaryFiles {
  private static let paths = Mutex<Set<String>>([])
  private static let ending = Mutex<Void>(())

  static func add(_ path: String) { paths.withLock { _ = $0.insert(path) } }
  static func remove(_ path: String) { paths.withLock { _ = $0.remove(path) } }

  /// Does what an end of the process must not fall into: create a file and note it, or give several
  /// outputs their names.
  static func undisturbed<Result>(_ body: () throws -> Result) rethrows -> Result {
    try ending.withLock { _ in try body() }
  }

  /// Unlinks them all and ends the process; called when it is told to stop.
  ///
  /// It waits for outputs that are getting their names. Whoever wants to create a file from then on
  /// waits until the process is gone, so that nothing is left behind.
  public static func removeAll(andExit exit: () -> Never) -> Never {
    ending.withLock { _ in
      for path in paths.withLock({ $0 }) { unlink(path) }
      exit()
    }
  }
}
