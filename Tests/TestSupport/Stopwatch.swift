#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Measures what the calling thread computes, however busy the machine is with other tests.
public struct Stopwatch: Sendable {
  private let start = Self.now()

  public init() {}

  /// The seconds of processor time that the thread has used since.
  public var seconds: Double { Self.now() - start }

  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
