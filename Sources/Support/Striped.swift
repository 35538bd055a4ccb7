import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// State of which every thread has a part nearly for itself.
///
/// One lock that many threads want all the time makes them take turns, and sends those that wait to sleep.
public final class Striped<Value: Sendable>: Sendable {
  private final class Stripe: Sendable {
    let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
  }

  /// Enough for few of many threads to meet; a power of two.
  private static var count: Int { 64 }

  private let stripes: [Stripe]

  public init(_ initial: Value) {
    stripes = (0..<Self.count).map { _ in Stripe(initial) }
  }

  /// Runs with the calling thread's part, which another thread may have, too.
  public func withOwn<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
    let thread = threadNumber
    // Threads lie at round distances in memory: the product's upper bits depend on all of theirs.
    let mixed = thread &* 0x9E37_79B9_7F4A_7C15
    let place = Int(mixed >> (64 - Self.count.trailingZeroBitCount))
    return stripes[place].value.withLock { body(&$0) }
  }

  /// What the first part gives that gives anything, tried one after the other.
  public func first<Result: Sendable>(_ body: (inout Value) -> Result?) -> Result? {
    for stripe in stripes {
      if let result = stripe.value.withLock({ body(&$0) }) { return result }
    }
    return nil
  }

  /// Runs with every part, one after the other.
  public func withEach(_ body: (inout Value) -> Void) {
    for stripe in stripes { stripe.value.withLock { body(&$0) } }
  }
}

/// The same as long as a thread lives.
private var threadNumber: UInt64 {
  #if canImport(Darwin)
    UInt64(UInt(bitPattern: pthread_self()))
  #else
    UInt64(pthread_self())
  #endif
}
