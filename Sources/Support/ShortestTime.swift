/// The shortest of the times that some runs of the same work take, in seconds.
///
/// The first run, which finds memory and code cold, is not counted; unless no time is given at all there
/// are three more at least.
///
/// - Parameter seconds: how long to go on.
public func shortestTime(within seconds: Double, _ run: () -> Void) -> Double {
  run()
  let start = ContinuousClock.now
  var best = Duration.seconds(1 << 20)
  var count = 0
  repeat {
    best = min(best, ContinuousClock().measure(run))
    count += 1
  } while ContinuousClock.now - start < .seconds(seconds) || (seconds > 0 && count < 3)
  return max(1e-9, best.inSeconds)
}

extension Duration {
  public var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
