import Formats
import Support
import Surgery

/// What a piece of surgery did, for people and for machines.
struct SurgeryJobReport {
  var blueprint: Blueprint
  var architecture: Architecture
  var inputs: [String]
  var files: [String]
  var measurements: MergeMeasurements
  var rounding: RoundingReport
  var isDryRun: Bool
  var loadSeconds: Double
  var saveSeconds: Double

  private var byteCount: Int { blueprint.entries.reduce(0) { $0 + $1.info.byteCount } }

  func text(verbose: Bool) -> String {
    let counts = blueprint.parameterCounts(architecture)
    var lines = isDryRun || verbose ? plan : []
    lines += architecture.lines.map { "  " + $0 }
    lines += merged + rounded
    lines.append(
      "  parameters: \(Console.grouped(counts.trainable)) trainable, "
        + "\(Console.grouped(counts.frozen)) frozen")
    let names = files.map(\.escapedForDisplay).joined(separator: ", ")
    let size =
      "\(Console.grouped(blueprint.entries.count)) tensors, \(Console.bytes(byteCount))"
    lines.append(
      isDryRun
        ? "would write \(names): \(size); numbers and the hash of a base are looked at only then"
        : "wrote \(names): \(size), read back and compared")
    return lines.joined(separator: "\n")
  }

  private var plan: [String] {
    Table(
      blueprint.entries.map {
        [
          "\($0.info.name)", $0.info.dtype.rawValue, "\($0.info.shape)", $0.origin.kind,
          $0.origin.summary,
        ]
      }
    ).lines
  }

  private var merged: [String] {
    Table(
      measurements.all.flatMap { weight in
        weight.updates.map { update in
          [
            "\(weight.name)", update.label,
            "‖ΔW‖/‖W‖ \(Console.rounded(update.relativeNorm))",
            "largest \(Console.rounded(update.largest))",
            update.lostShare.map { "lost to rounding \(Console.rounded($0 * 100)) %" } ?? "",
          ]
        }
      }
    ).lines
  }

  private var rounded: [String] {
    guard !rounding.all.isEmpty else { return [] }
    let total = rounding.total
    return [
      "  rounding: \(Console.grouped(total.changed)) of \(Console.grouped(total.count)) numbers "
        + "changed, \(Console.grouped(total.vanished)) became zero, largest error "
        + "\(Console.rounded(total.largestError)), "
        + "largest relative \(Console.rounded(total.largestRelativeError))"
    ]
  }

  func json() -> JSON {
    let counts = blueprint.parameterCounts(architecture)
    var fields: [(key: String, value: JSON)] = [
      ("inputs", .array(inputs.map(JSON.string))), ("output", .string(files.last ?? "")),
      ("files", .array(files.map(JSON.string))), ("dry_run", .bool(isDryRun)),
      ("family", .string(architecture.family)), ("architecture", architecture.json),
      ("tensors", .int(blueprint.entries.count)), ("bytes", .int(byteCount)),
      (
        "parameters",
        .object([("trainable", .int(counts.trainable)), ("frozen", .int(counts.frozen))])
      ),
      ("notes", .array(blueprint.notes.map(JSON.string))),
    ]
    if isDryRun { fields.append(("plan", .array(blueprint.entries.map(Self.json)))) }
    if !measurements.all.isEmpty { fields.append(("merged", measurements.json)) }
    if !rounding.all.isEmpty { fields.append(("rounding", rounding.total.json)) }
    return .object(
      fields + [
        ("seconds", .seconds(load: loadSeconds, save: saveSeconds)),
        ("peak_rss_bytes", .int(peakResidentBytes)),
      ])
  }

  private static func json(_ entry: Blueprint.Entry) -> JSON {
    .object([
      ("name", .string(entry.info.name.text)), ("dtype", .string(entry.info.dtype.rawValue)),
      ("shape", .array(entry.info.shape.map(JSON.int))), ("origin", .string(entry.origin.kind)),
      ("from", .string(entry.origin.summary)),
    ])
  }
}
