import Support
import Training

/// Shows a training as it goes: one redrawn line on a terminal, a plain one now and then elsewhere.
struct TrainingLine {
  private let steps: Int
  private let isQuiet: Bool
  private var shown: ContinuousClock.Instant?
  private var done = 0
  private var total = 0.0

  init(steps: Int, isQuiet: Bool) {
    self.steps = steps
    self.isQuiet = isQuiet
  }

  mutating func show(_ report: TrainingLog.Entry) {
    done += 1
    total += report.seconds
    let pause = Console.errorsAreATerminal ? Duration.milliseconds(100) : .seconds(10)
    let now = ContinuousClock.now
    guard !isQuiet, shown.map({ now - $0 >= pause }) ?? true else { return }
    shown = now
    let pace = total / Double(done)
    let left = Int((pace * Double(steps - report.step - 1)).rounded(.up))
    Console.clearProgress()
    Console.write(
      "step \(report.step + 1) of \(steps), loss \(Console.rounded(report.loss)), Dice "
        + "\(Console.rounded(1 - report.dice)), lr \(Console.rounded(report.rate)), "
        + "\(Console.rounded(pace)) s a step, \(left) s left"
        + (Console.errorsAreATerminal ? "" : "\n"), to: .talk)
  }

  func finish() { Console.clearProgress() }
}
