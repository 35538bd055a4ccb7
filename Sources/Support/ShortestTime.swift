/// The shortest of the times that some runs of the same work take, in seconds.
///
/// - Parameter seconds: how long to go on, long enough to be past the first, slow runs.
public func shortestTime(within seconds: Double, _ run: () -> Void) -> Double {
  let start = ContinuousClock.now
  var best = Duration.seconds(1 << 20)
  repeat {
    best = min(best, ContinuousClock().measure(run))
  } while ContinuousClock.now - start < .seconds(seconds)
  return max(1e-9, best.inSeconds)
}

extension Duration {
  public var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
