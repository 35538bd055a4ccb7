import ArgumentParser
import Formats
import Support
import Surgery

enum ColorChoice: String, CaseIterable, ExpressibleByArgument {
  case auto, always, never
}

/// What every command takes.
struct GlobalOptions: ParsableArguments {
  @Flag(help: "Print one JSON object instead of text.")
  var json = false

  @Flag(name: .shortAndLong, help: "Print nothing but the result and errors.")
  var quiet = false

  @Flag(name: .shortAndLong, help: "Print more about what is done.")
  var verbose = false

  @Option(help: ArgumentHelp("Use at most this many threads.", valueName: "n"))
  var threads: Int?

  @Option(help: ArgumentHelp("Colour the output.", valueName: "when"))
  var color = ColorChoice.auto

  func validate() throws {
    guard let threads else { return }
    guard threads > 0 else { throw ValidationError("--threads must be at least 1.") }
    Threads.setCount(threads)
  }

  var progress: ProgressHandler { ProgressLine.handler(quiet: quiet || json) }

  func warn(_ text: String) {
    if !quiet { Console.warning(text) }
  }

  /// Prints the notes that a checkpoint carries.
  func warn(about checkpoint: any Checkpoint) {
    for note in warnings(about: checkpoint) {
      warn("\(checkpoint.path.escapedForDisplay): \(note)")
    }
  }

  func warnings(about checkpoint: any Checkpoint) -> [String] {
    let objects = checkpoint.surroundings.inertObjects
    guard !objects.isEmpty else { return checkpoint.notes }
    let names = objects.lazy.map { $0.escapedForDisplay.shortened(to: 60) }.firstTen
    return checkpoint.notes + ["values of \(names) are no tensors and were left out"]
  }
}

extension GlobalOptions {
  /// Says what it takes to read an output that compression has made very small.
  ///
  /// - Returns: the same, for machines.
  func note(about summary: WriteSummary) -> String? {
    guard summary.isOutOfProportion else { return nil }
    let text =
      "so little is left of the tensors in \(summary.path.escapedForDisplay) "
      + "that reading them takes --allow-expand"
    note(text)
    return text
  }
}

/// How a checkpoint is opened.
struct ReadingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The part of the file that is the model.", valueName: "path"))
  var key: String?

  @Flag(help: "Read records whose checksum is wrong or was never written.")
  var noCrc = false

  @Flag(help: "Leave out values made by calls that wt does not know.")
  var skipUnknownObjects = false

  @Flag(help: "Allow tensors that are many times larger than the file.")
  var allowExpand = false

  func open(
    _ path: String, progress: @escaping ProgressHandler = { _ in }
  ) throws -> any Checkpoint {
    ManifestLibrary.prepare()
    return try openCheckpoint(path, options: options(progress))
  }

  func options(_ progress: @escaping ProgressHandler = { _ in }) -> CheckpointOptions {
    var options = CheckpointOptions(
      key: key, checksCRC: !noCrc, skipsUnknownObjects: skipUnknownObjects,
      allowsExpansion: allowExpand)
    options.progress = progress
    if let directory = Environment["TMPDIR"] { options.scratchDirectory = directory }
    return options
  }
}
