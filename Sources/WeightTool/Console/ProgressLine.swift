import Support
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Shows progress: one redrawn line on a terminal, a plain line every ten seconds elsewhere.
final class ProgressLine: Sendable {
  private struct State {
    var activity = ""
    var started = ContinuousClock.now
    var shown = ContinuousClock.now
  }

  private let state = Mutex(State())
  private let isTerminal = Console.errorsAreATerminal

  /// The handler to give to a library, silent when asked to be.
  static func handler(quiet: Bool) -> ProgressHandler {
    guard !quiet else { return { _ in } }
    let line = ProgressLine()
    return { line.show($0) }
  }

  private func show(_ progress: Progress) {
    let text = state.withLock { state -> String? in
      let now = ContinuousClock.now
      if state.activity != progress.activity {
        state = State(activity: progress.activity, started: now, shown: now)
      }
      let isLast = progress.completed == progress.total
      if isLast, isTerminal { return "" }
      let pause = isTerminal ? Duration.milliseconds(100) : .seconds(10)
      guard now - state.shown >= pause else { return nil }
      state.shown = now
      return Self.text(progress, elapsed: now - state.started)
    }
    guard let text else { return }
    Console.clearProgress()
    Console.write(text + (isTerminal ? "" : "\n"), to: .talk)
  }

  static func text(_ progress: Progress, elapsed: Duration) -> String {
    let rate = Double(progress.completed) / max(elapsed.inSeconds, 1e-9)
    let left = Double(progress.total - progress.completed) / rate
    // Nothing is known of the time before the first piece is done.
    let remaining = left.isFinite ? ", \(Int(min(left, 1e9).rounded(.up))) s left" : ""
    switch progress.unit {
    case .bytes:
      let percent = 100 * progress.completed / max(1, progress.total)
      return "\(progress.activity) \(percent)% of \(Console.bytes(progress.total)), "
        + "\(Console.bytes(Int(rate)))/s\(remaining)"
    case .pieces:
      return "\(progress.activity) \(progress.completed) of \(progress.total)\(remaining)"
    }
  }
}
