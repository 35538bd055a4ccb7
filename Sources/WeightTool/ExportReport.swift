import Formats
import Support
import Surgery

/// What an export did, for people and for machines.
struct ExportReport {
  var source: any Checkpoint
  var plan: Blueprint
  var target: ExportTarget
  var files: [String]
  var isDryRun: Bool
  var warnings: [String]
  var loadSeconds: Double
  var saveSeconds: Double

  private var byteCount: Int { plan.entries.reduce(0) { $0 + $1.info.byteCount } }

  var text: String {
    let size =
      "\(Console.grouped(plan.entries.count)) tensors, \(Console.bytes(byteCount))"
    let names = files.map(\.escapedForDisplay).joined(separator: ", ")
    return isDryRun
      ? "would write \(names) (\(target.rawValue)): \(size)"
      : "wrote \(names) (\(target.rawValue)): \(size), read back and compared"
  }

  var json: JSON {
    .object([
      ("input", .string(source.path)), ("output", .string(files.last ?? "")),
      ("files", .array(files.map(JSON.string))), ("form", .string(target.rawValue)),
      ("dry_run", .bool(isDryRun)), ("tensors", .int(plan.entries.count)),
      ("bytes", .int(byteCount)), ("warnings", .array(warnings.map(JSON.string))),
      ("notes", .array(plan.notes.map(JSON.string))),
      ("seconds", .seconds(load: loadSeconds, save: saveSeconds)),
      ("peak_rss_bytes", .int(peakResidentBytes)),
    ])
  }
}
