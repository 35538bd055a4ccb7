import Formats
import Support
import Surgery

/// What an import found and did, for people and for machines.
struct ImportReport {
  var source: any Checkpoint
  var plan: Import
  var files: [String]
  var official: OfficialFile?
  var warnings: [String]
  var notes: [String]
  var dryRun: Bool
  var loadSeconds: Double
  var saveSeconds: Double

  private var byteCount: Int { plan.blueprint.entries.reduce(0) { $0 + $1.info.byteCount } }

  func text(verbose: Bool) -> String {
    let description = Description(source, plan.recognition, official: official)
    var lines = description.lines
    let report = plan.recognition.report
    if plan.recognition.manifest != nil {
      lines.append(
        "  applied \(report.applied.count), missing \(report.missing.count), "
          + "unused \(report.unused.count), mismatched \(report.mismatched.count)")
    }
    if verbose || dryRun {
      lines += plan.blueprint.entries.map {
        "  \($0.info.name)  \($0.info.dtype.rawValue) \($0.info.shape)"
      }
    }
    let names = files.map(\.escapedForDisplay).joined(separator: ", ")
    let size =
      "\(Console.grouped(plan.blueprint.entries.count)) tensors, \(Console.bytes(byteCount))"
    lines.append(
      dryRun
        ? "would write \(names): \(size)" : "wrote \(names): \(size), read back and compared")
    return lines.joined(separator: "\n")
  }

  var json: JSON {
    .object(
      [
        ("input", .string(source.path)), ("output", .string(files.last ?? "")),
        ("files", .array(files.map(JSON.string))), ("dry_run", .bool(dryRun)),
      ] + Description(source, plan.recognition, official: official).fields + [
        ("tensors", .int(plan.blueprint.entries.count)), ("bytes", .int(byteCount)),
        ("report", plan.recognition.report.json),
        ("warnings", .array(warnings.map(JSON.string))),
        ("notes", .array(notes.map(JSON.string))),
        ("seconds", .seconds(load: loadSeconds, save: saveSeconds)),
        ("peak_rss_bytes", .int(peakResidentBytes)),
      ])
  }
}

/// What a checkpoint is, in a few lines or fields.
struct Description {
  private let checkpoint: any Checkpoint
  private let recognition: Recognition
  private let official: OfficialFile?
  /// Nil for no known family or an incomplete one; a failure when the metadata contradicts itself.
  private let architecture: Result<Architecture, any Error>?

  init(_ checkpoint: any Checkpoint, _ recognition: Recognition, official: OfficialFile?) {
    self.checkpoint = checkpoint
    self.recognition = recognition
    self.official = official
    let isWhole = recognition.manifest != nil && recognition.report.isComplete
    architecture =
      isWhole
      ? Result { try Architecture(recognition, of: checkpoint.tensors, checkpoint.metadata) } : nil
  }

  var lines: [String] {
    var lines = ["\(checkpoint.path.escapedForDisplay): \(title)"]
    if let official { lines.append("  official file \(official.name), SHA-256 confirmed") }
    let sizes = recognition.sizes.map { "\($0.name.replacing("_", with: " ")) \($0.value)" }
    if !sizes.isEmpty { lines.append("  " + sizes.joined(separator: ", ")) }
    switch architecture {
    case .success(let model): lines += model.lines.map { "  " + $0 }
    case .failure(let error): lines.append("  \(error)")
    case nil: break
    }
    if !checkpoint.surroundings.wrapper.isEmpty {
      let path = checkpoint.surroundings.wrapper.joined(separator: ".").escapedForDisplay
      let beside = checkpoint.surroundings.siblings.prefix(10).map(\.escapedForDisplay).joined(
        separator: ", ")
      lines.append("  found under '\(path)'" + (beside.isEmpty ? "" : ", beside \(beside)"))
    }
    if !recognition.prefix.isEmpty { lines.append("  prefix '\(recognition.prefix)' removed") }
    return lines
  }

  private var title: String {
    let wrapping = checkpoint.compression.map { " in \($0.rawValue)" } ?? ""
    let container =
      "\(checkpoint.container.rawValue)\(wrapping), \(Console.bytes(checkpoint.fileSize))"
    if let manifest = recognition.manifest, let dialect = recognition.dialect {
      return "\(manifest.title), \(dialect.title) (\(container))"
    }
    let near = recognition.closest.map { close in
      "; closest is \(close.family), with \(close.report.missing.count) missing and "
        + "\(close.report.unused.count) unused"
    }
    return "no known family, kept under its own names (\(container))\(near ?? "")"
  }

  var fields: [(key: String, value: JSON)] {
    [
      ("family", recognition.manifest.map { .string($0.family) } ?? .null),
      ("dialect", recognition.dialect.map { .string($0.identifier) } ?? .null),
      ("container", .string(checkpoint.container.rawValue)),
      ("compression", checkpoint.compression.map { .string($0.rawValue) } ?? .null),
      ("file_bytes", .int(checkpoint.fileSize)),
      ("wrapper", .string(checkpoint.surroundings.wrapper.joined(separator: "."))),
      ("prefix", .string(recognition.prefix)),
      ("official", official.map { .string($0.name) } ?? .null),
      (
        "hyperparameters",
        .object(recognition.sizes.map { (key: $0.name, value: JSON.int($0.value)) })
      ), ("architecture", (try? architecture?.get())?.json ?? .null),
    ]
  }
}
