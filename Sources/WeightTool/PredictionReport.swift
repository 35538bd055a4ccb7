import Inference
import Support

/// What a prediction has done.
struct PredictionReport {
  struct Case {
    var name: String
    var target: String
    /// Nil for one that was done before.
    var outcome: CasePrediction.Outcome?
    var seconds: Double
  }

  var cases: [Case]
  var classNames: [String]
  var profile: String
  /// What was left out, and what was taken for a scan.
  var notes: [String]
  var load: Double

  var text: String {
    cases.map { item in
      guard let outcome = item.outcome else {
        return "\(item.target.escapedForDisplay): done before"
      }
      let found = zip(classNames, outcome.voxels.dropFirst()).filter { $0.1 > 0 }.map {
        [$0.0.escapedForDisplay, "\(Console.grouped($0.1)) voxels"]
      }
      let seconds = (item.seconds * 100).rounded() / 100
      return
        (Table(found).lines + [
          "\(item.target.escapedForDisplay): \(outcome.slices) slices in \(seconds) s"
        ]).joined(separator: "\n")
    }.joined(separator: "\n")
  }

  var json: JSON {
    .object([
      ("profile", .string(profile)), ("classes", .array(classNames.map(JSON.string))),
      ("cases", .array(cases.map(json))), ("notes", .array(notes.map(JSON.string))),
      (
        "seconds",
        .seconds(load: load, compute: cases.filter { $0.outcome != nil }.map(\.seconds), save: 0)
      ), ("peak_rss_bytes", .int(peakResidentBytes)),
    ])
  }

  private func json(_ item: Case) -> JSON {
    .object([
      ("name", .string(item.name)), ("output", .string(item.target)),
      ("done_before", .bool(item.outcome == nil)),
      ("slices", item.outcome.map { .int($0.slices) } ?? .null),
      ("windows", item.outcome.map { .int($0.windows) } ?? .null),
      ("voxels", item.outcome.map { .array($0.voxels.map(JSON.int)) } ?? .null),
    ])
  }
}
