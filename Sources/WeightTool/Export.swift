import ArgumentParser
import Formats
import Support

/// How the chunks of an HDF5 file are compressed.
enum ChunkCompression: String, CaseIterable, ExpressibleByArgument {
  case none, gzip, zstd

  var value: HDF5Compression {
    switch self {
    case .none: .none
    case .gzip: .gzip(level: 4)
    case .zstd: .zstd(level: 3)
    }
  }
}

/// What `wt export --to` can make.
enum ExportTarget: String, CaseIterable, ExpressibleByArgument {
  case torch, safetensors, hdf5

  var container: OutputFormat.Container {
    switch self {
    case .torch: .torch
    case .safetensors: .safeTensors
    case .hdf5: .hdf5
    }
  }
}

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a checkpoint for another tool.",
    discussion: """
      Names and bytes stay as they are; what was written is read back and compared. A name that
      ends with .zst is compressed.

      Examples:
        wt export model.safetensors -o model.pth --to torch
        wt export model.safetensors -o model.safetensors.zst --to safetensors
        wt export model.pth -o model.safetensors --to safetensors --shard-size 1GB
        wt export model.safetensors -o model.h5 --to hdf5 --compression gzip
      """)

  @Argument(help: "The checkpoint to read.", completion: .file()) var model: String

  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "file"),
    completion: .file())
  var output: String

  @Option(help: ArgumentHelp("The form to write.", valueName: "form")) var to: ExportTarget

  @Option(help: "Compress the datasets of an HDF5 file; zstd needs hdf5plugin in Python.")
  var compression = ChunkCompression.none

  @OptionGroup(title: "Output") var writing: OutputOptions
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func validate() throws {
    _ = try format()
    guard compression == .none || to == .hdf5 else {
      throw ValidationError("--compression goes with --to hdf5; name the output *.zst otherwise.")
    }
  }

  private func format() throws -> OutputFormat {
    var format = try writing.format(to.container, for: output)
    format.chunkCompression = compression.value
    return format
  }

  func run() throws {
    let stopwatch = Stopwatch()
    let source = try reading.open(model, progress: global.progress)
    try writing.check(output, against: source)
    global.warn(about: source)
    let loaded = stopwatch.seconds
    let writer = CheckpointWriter(
      source.tensors, metadata: source.metadata,
      format: try format(), progress: global.progress,
      from: { try source.reader(of: $0) })
    if writing.dryRun { try writer.check() }
    let files =
      try writing.dryRun
      ? [output]
      : writer.write(
        to: output, overwrite: writing.force, validate: { try source.checkUnchanged() }
      ).files
    let report = ExportReport(
      source: source, target: to, files: files, isDryRun: writing.dryRun,
      warnings: global.warnings(about: source), loadSeconds: loaded,
      saveSeconds: stopwatch.seconds - loaded)
    try Console.result(global.json ? report.json.encoded() : report.text)
  }
}

/// What an export did, for people and for machines.
struct ExportReport {
  var source: any Checkpoint
  var target: ExportTarget
  var files: [String]
  var isDryRun: Bool
  var warnings: [String]
  var loadSeconds: Double
  var saveSeconds: Double

  var text: String {
    let size =
      "\(Console.grouped(source.tensors.count)) tensors, \(Console.bytes(source.totalByteCount))"
    let names = files.map(\.escapedForDisplay).joined(separator: ", ")
    return isDryRun
      ? "would write \(names) (\(target.rawValue)): \(size)"
      : "wrote \(names) (\(target.rawValue)): \(size), read back and compared"
  }

  var json: JSON {
    .object([
      ("input", .string(source.path)), ("output", .string(files.last ?? "")),
      ("files", .array(files.map(JSON.string))), ("form", .string(target.rawValue)),
      ("dry_run", .bool(isDryRun)), ("tensors", .int(source.tensors.count)),
      ("bytes", .int(source.totalByteCount)), ("warnings", .array(warnings.map(JSON.string))),
      ("seconds", .seconds(load: loadSeconds, save: saveSeconds)),
      ("peak_rss_bytes", .int(peakResidentBytes)),
    ])
  }
}
