#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The learning rate of every step: a linear warm-up, then a power of what is left to do.
///
/// The rate is set after each step for the next, so the first has a warm-up's smallest part, and the
/// second the same again. Source: `trainer_run` in MA-SAM's trainer.py.
public struct LearningRateSchedule: Sendable, Equatable {
  public var base: Double
  /// Steps that the rate grows; none begins with the whole of it.
  public var warmup: Int
  /// Steps after which the rate would be zero.
  public var length: Int
  public var exponent: Double

  public init(base: Double, warmup: Int, length: Int, exponent: Double) {
    precondition(warmup >= 0 && length > 0)
    self.base = base
    self.warmup = warmup
    self.length = length
    self.exponent = exponent
  }

  /// The rate that a step uses, counted from 0; zero when the schedule is over.
  public func callAsFunction(_ step: Int) -> Double {
    if step == 0 { return base / Double(max(warmup, 1)) }
    if step <= warmup { return base * Double(step) / Double(warmup) }
    let left = 1 - Double(step - 1 - warmup) / Double(length)
    return base * pow(max(left, 0), exponent)
  }
}
