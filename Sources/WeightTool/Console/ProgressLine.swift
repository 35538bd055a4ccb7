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

  private static func text(_ progress: Progress, elapsed: Duration) -> String {
    let seconds = elapsed.inSeconds
    let rate = Double(progress.completed) / max(seconds, 1e-9)
    let left = Int((Double(progress.total - progress.completed) / max(rate, 1)).rounded(.up))
    let percent = 100 * progress.completed / max(1, progress.total)
    return "\(progress.activity) \(percent)% of \(Console.bytes(progress.total)), "
      + "\(Console.bytes(Int(rate)))/s, \(left) s left"
  }
}
