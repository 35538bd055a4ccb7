/// The counter-based generator Philox 4×32-10: a keyed bijection of 128-bit counters.
///
/// There is no state to keep: any block of any stream is computed on its own, so that neither the
/// order nor the number of threads can change a result.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
public struct Philox: Sendable, Equatable {
  private static let multipliers: (UInt32, UInt32) = (0xD251_1F53, 0xCD9E_8D57)
  /// The golden ratio and √3 − 1, by which the key changes from round to round.
  private static let weyl: (UInt32, UInt32) = (0x9E37_79B9, 0xBB67_AE85)
  private static let rounds = 10

  public var key: (UInt32, UInt32)

  public init(key: (UInt32, UInt32)) { self.key = key }

  public static func == (left: Philox, right: Philox) -> Bool { left.key == right.key }

  /// The four words for a counter.
  public func callAsFunction(_ counter: SIMD4<UInt32>) -> SIMD4<UInt32> {
    var (x, key) = (counter, key)
    for _ in 0..<Self.rounds {
      let first = Self.multipliers.0.multipliedFullWidth(by: x[0])
      let second = Self.multipliers.1.multipliedFullWidth(by: x[2])
      x = SIMD4(
        second.high ^ x[1] ^ key.0, second.low, first.high ^ x[3] ^ key.1, first.low)
      key = (key.0 &+ Self.weyl.0, key.1 &+ Self.weyl.1)
    }
    return x
  }
}
