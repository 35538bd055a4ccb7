import Formats
import Foundation
import Metrics
import Support

/// An evaluation as one page that needs nothing else.
public struct EvaluationReport: Sendable {
  public var summary: EvaluationSummary
  public var pictures: [WorstSlice]

  public init(summary: EvaluationSummary, pictures: [WorstSlice]) {
    self.summary = summary
    self.pictures = pictures
  }

  /// - Throws: `FormatError` with code `badPNG` when a picture cannot be made.
  public func html() throws -> String {
    """
    <!doctype html>
    <html lang="en"><head><meta charset="utf-8"><title>wt eval</title><style>\(Self.style)</style>
    </head><body>
    <h1>\(summary.cases.count) \(summary.cases.count == 1 ? "case" : "cases"), \
    \(summary.classes.count) \(summary.classes.count == 1 ? "class" : "classes")</h1>
    <p>\(definitions)</p>
    \(meanTable)
    \(summary.classes.indices.map(classSection).joined(separator: "\n"))
    \(try pictureSection())
    </body></html>

    """
  }

  private var definitions: String {
    let unit = summary.convention.isPooledInVoxels ? "voxels" : "mm"
    return "Protocol <b>\(summary.convention.rawValue)</b>; distances in \(unit); NSD at "
      + "\(summary.tolerance) mm. In brackets: how many cases have a value; behind the stroke: the "
      + "mean with the volume's diagonal for every missed or invented object."
  }

  private var meanTable: String {
    let header = summary.metrics.map { "<th>\($0.name)</th>" }.joined()
    let rows = summary.classes.indices.map { place in
      let cells = summary.metrics.map { metric -> String in
        let mean = summary.mean(metric, ofClass: place)
        let penalised = mean.isPenalised ? mean.penalised.map { " / " + Self.text($0) } : nil
        return "<td>\(Self.text(mean.value)) (\(mean.defined))\(penalised ?? "")</td>"
      }
      return "<tr><td>\(summary.classes[place].name.htmlEscaped)</td>\(cells.joined())</tr>"
    }
    let all = summary.metrics.map { metric -> String in
      let mean = summary.foregroundMean(metric)
      let penalised = metric.isDistance ? summary.penalisedMean(metric) : nil
      return "<td>\(Self.text(mean))"
        + (penalised == mean ? "" : penalised.map { " / " + Self.text($0) } ?? "") + "</td>"
    }
    return """
      <table><tr><th>class</th>\(header)</tr>
      \(rows.joined(separator: "\n"))
      <tr class="mean"><td>mean</td>\(all.joined())</tr></table>
      """
  }

  /// A bar of the first metric for every case.
  private func classSection(_ place: Int) -> String {
    let rows = summary.cases.map { item -> String in
      let result = item.classes[place]
      let cells = summary.metrics.map { "<td>\(Self.text(result[$0]))</td>" }.joined()
      return "<tr><td>\(lastComponent(of: item.reference).htmlEscaped)</td>"
        + "<td class=\"track\">\(bar(result))</td>\(cells)</tr>"
    }
    let header = summary.metrics.map { "<th>\($0.name)</th>" }.joined()
    return """
      <h2>\(summary.classes[place].name.htmlEscaped)</h2>
      <table><tr><th>case</th><th></th>\(header)</tr>
      \(rows.joined(separator: "\n"))
      </table>
      """
  }

  private func bar(_ result: ClassResult) -> String {
    guard let metric = summary.metrics.first(where: { !$0.isDistance }),
      let value = result[metric]
    else { return "" }
    let percent = String(format: "%.1f", 100 * value)
    return "<div style=\"width:\(percent)%\" title=\"\(metric.name) \(percent)%\"></div>"
  }

  private func pictureSection() throws -> String {
    guard !pictures.isEmpty else { return "" }
    let figures = try pictures.map { item -> String in
      let data = Data(try PNGFile.encode(item.picture)).base64EncodedString()
      let share = String(format: "%.0f", 100 * item.wrongShare)
      return """
        <figure><img alt="" src="data:image/png;base64,\(data)">
        <figcaption>\(item.name.htmlEscaped), slice \(item.slice): \(share)% wrong</figcaption></figure>
        """
    }
    return """
      <h2>Worst slices</h2>
      <p><span class="agreed">both agree</span> <span class="missed">missed</span>
      <span class="invented">invented</span> <span class="confused">another class</span></p>
      \(figures.joined(separator: "\n"))
      """
  }

  private static func text(_ value: Double?) -> String {
    value.map { String(format: "%.4f", $0) } ?? "–"
  }

  private static let style = """
    body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}
    table{border-collapse:collapse}td,th{text-align:left;padding:.15em .8em .15em 0;
    font-variant-numeric:tabular-nums}.mean td{border-top:1px solid #999;font-weight:bold}
    .track{width:12em;background:#eee;padding:0}.track div{height:.8em;background:#3a9d63}
    figure{display:inline-block;margin:.5em}figcaption{font-size:.85em}
    img{max-width:320px;image-rendering:pixelated}
    p span{color:#fff;padding:.1em .5em}.agreed{background:#829682}.missed{background:#3c78ff}
    .invented{background:#ff961e}.confused{background:#e61e3c}
    """
}
