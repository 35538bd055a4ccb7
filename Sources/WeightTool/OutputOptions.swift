import ArgumentParser
import Formats
import Support

/// What every command that writes a checkpoint takes.
struct OutputOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Replace the output if it exists.")
  var force = false

  @Flag(name: [.customShort("n"), .long], help: "Print what would be done and write nothing.")
  var dryRun = false

  @Option(
    help: ArgumentHelp(
      "Split the output into files of at most this size, such as 2GB or 500MiB.",
      valueName: "size"))
  var shardSize: ByteSize?

  /// The format for a container and a path, whose suffix `.zst` asks for compression.
  ///
  /// - Throws: `ValidationError` for shards of anything but plain safetensors.
  func format(_ container: OutputFormat.Container, for path: String) throws -> OutputFormat {
    let isCompressed = path.hasSuffix(".zst")
    guard shardSize == nil || (container == .safeTensors && !isCompressed) else {
      throw ValidationError("--shard-size goes with plain safetensors only.")
    }
    return OutputFormat(container, shardBytes: shardSize?.bytes, isCompressed: isCompressed)
  }

  /// Refuses a target before any work is done: one that exists, or one that is an input.
  ///
  /// The names of shards are held against the inputs where they are known, in the writer.
  func check(_ target: String, against input: any Checkpoint) throws {
    try check(target, isInput: { input.isStored(at: target) })
  }

  /// The same for an input that has not been opened yet.
  func check(_ target: String, against path: String) throws {
    try check(target, isInput: { try InputFile(path).isSameFile(as: target) })
  }

  /// Says in a dry run which targets are there already.
  ///
  /// - Parameter noted: of which that has been said.
  func noteExisting(_ targets: [String], besides noted: String? = nil, _ global: GlobalOptions) {
    guard dryRun, !force else { return }
    for target in targets where target != noted && exists(target) {
      global.note("\(target.escapedForDisplay) is there already: writing it takes --force")
    }
  }

  private func exists(_ target: String) -> Bool {
    do {
      try AtomicFile.checkTarget(target, overwrite: false)
      return false
    } catch {
      return (error as? FormatError)?.code == .outputExists
    }
  }

  private func check(_ target: String, isInput: () throws -> Bool) throws {
    if shardSize != nil { try CheckpointWriter.checkShardNames(of: target) }
    try AtomicFile.checkFolder(of: target)
    try AtomicFile.checkTarget(target, overwrite: force || dryRun)
    try AtomicFile.refuseInput(target, isInput: isInput())
  }
}

/// A number of bytes as people write it.
struct ByteSize: ExpressibleByArgument, Sendable {
  var bytes: Int

  private static let units: [(suffix: String, factor: Int)] = [
    ("kib", 1 << 10), ("mib", 1 << 20), ("gib", 1 << 30), ("tib", 1 << 40),
    ("kb", 1000), ("mb", 1_000_000), ("gb", 1_000_000_000), ("tb", 1_000_000_000_000),
    ("b", 1), ("", 1),
  ]

  init?(argument: String) {
    let text = argument.lowercased().filter { $0 != " " }
    guard let unit = Self.units.first(where: { text.hasSuffix($0.suffix) }),
      let number = Double(text.dropLast(unit.suffix.count)), number > 0,
      let bytes = Int(exactly: (number * Double(unit.factor)).rounded()), bytes > 0
    else { return nil }
    self.bytes = bytes
  }
}
