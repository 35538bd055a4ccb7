import Foundation
import Support

extension VerificationReport {
  /// The report as one page that needs nothing else: the verdict on top, a bar for every tensor.
  public var html: String {
    """
    <!doctype html>
    <html lang="en"><head><meta charset="utf-8"><title>wt verify</title><style>\(Self.style)</style>
    </head><body>
    <h1 class="\(passes ? "passed" : "failed")">\(passes ? "Verified" : "Not verified")</h1>
    <p>\(model.htmlEscaped)</p>
    \(levels.map(section).joined(separator: "\n"))
    </body></html>

    """
  }

  private func section(_ level: Level) -> String {
    """
    <h2><span class="\(level.outcome)">\(level.outcome.rawValue)</span> \
    \(level.name.htmlEscaped)</h2>
    <p>\(level.detail.htmlEscaped)</p>
    \(level.measurements.isEmpty ? "" : table(level.measurements))
    """
  }

  private func table(_ measurements: [Measurement]) -> String {
    let rows = measurements.map { measurement in
      """
      <tr><td>\(measurement.name.htmlEscaped)</td><td class="number">\
      \(String(format: "%.2e", measurement.difference))</td><td class="track">\
      <div class="\(measurement.passes ? "passed" : "failed")" \
      style="width:\(String(format: "%.1f", share(measurement)))%"></div></td></tr>
      """
    }
    return """
      <table><tr><th>tensor</th><th>difference</th><th>on a logarithmic scale; the mark is what is \
      allowed</th></tr>
      \(rows.joined(separator: "\n"))
      </table>
      """
  }

  /// Percent of the bar: nine decades below what is allowed to three above, the mark at 75.
  private func share(_ measurement: Measurement) -> Double {
    guard measurement.difference.isFinite else { return 100 }
    guard measurement.difference > 0 else { return 0 }
    guard measurement.tolerance > 0 else { return 100 }
    let decades = log10(measurement.difference / measurement.tolerance)
    return min(100, max(1, 75 + decades * 75 / 9))
  }

  private static let style = """
    body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}
    h1.passed,span.passed{color:#17693a}h1.failed,span.failed{color:#a31919}span.skipped,span.notRun{color:#777}
    table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.15em .6em .15em 0}
    .number{font-variant-numeric:tabular-nums;white-space:nowrap}
    .track{width:45%;background:linear-gradient(90deg,#eee 0 75%,#555 75% 75.4%,#eee 75.4%)}
    .track div{height:.8em}div.passed{background:#3a9d63}div.failed{background:#cc3b3b}
    """
}
