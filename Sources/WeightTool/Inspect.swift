import ArgumentParser
import Formats
import Support
import Surgery
import Verification

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what a checkpoint is and what it holds.",
    discussion: """
      Reads only what describes the tensors, unless --stats asks for their numbers.

      Examples:
        wt inspect sam_vit_b_01ec64.pth
        wt inspect model.safetensors --filter 'attn.qkv' --stats
        wt inspect suspicious.pth --globals
      """)

  @Argument(help: "The checkpoints to look at.", completion: .file())
  var files: [String]

  @Flag(help: "Read the tensors and show minimum, maximum, mean and deviation.")
  var stats = false

  @Option(help: ArgumentHelp("Show only tensors whose name it matches.", valueName: "regex"))
  var filter: String?

  @Flag(help: "Show only the tensors that training changes.")
  var trainable = false

  @Flag(help: "List every Python name that the file mentions.")
  var globals = false

  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func run() throws {
    let pattern = try Pattern(filter)
    var results: [JSON] = []
    for file in files {
      if globals {
        results.append(try inspectGlobals(file))
      } else {
        results.append(try inspect(file, pattern))
      }
    }
    guard global.json else { return }
    try Console.result(
      results.count == 1
        ? results[0].encoded() : JSON.object([("files", .array(results))]).encoded())
  }

  private func inspect(_ file: String, _ pattern: Pattern) throws -> JSON {
    let checkpoint = try reading.open(file, progress: global.progress)
    global.warn(about: checkpoint)
    let recognition = try Recogniser().recognise(checkpoint)
    let official = stats ? try OfficialFile.identify(file) : nil
    let description = Description(checkpoint, recognition, official: official)
    let shown = checkpoint.tensors.indices.filter { index in
      let name = checkpoint.tensors[index].name
      return pattern.contains(name) && (!trainable || recognition.isTrainable(name))
    }
    let rows = try shown.map { index in
      TensorRow(
        info: checkpoint.tensors[index],
        statistics: stats ? try TensorStatistics(checkpoint, index) : nil)
    }
    var lines = global.json ? [] : description.lines + Table(rows.map(\.cells)).lines
    let elements = shown.reduce(0) { $0 + checkpoint.tensors[$1].elementCount }
    if !global.json {
      let metadata = checkpoint.metadata.entries.map {
        "  metadata \($0.key.escapedForDisplay) = \($0.value.escapedForDisplay.shortened())"
      }
      lines +=
        metadata + [
          "\(Console.grouped(shown.count)) tensors, \(Console.grouped(elements)) elements"
        ]
      try Console.result(lines.joined(separator: "\n"))
    }
    return .object(
      [("input", .string(file))] + description.fields + [
        ("tensor_count", .int(shown.count)), ("element_count", .int(elements)),
        (
          "metadata",
          .object(checkpoint.metadata.entries.map { (key: $0.key, value: .string($0.value)) })
        ),
        ("warnings", .array(global.warnings(about: checkpoint).map(JSON.string))),
        ("tensors", .array(rows.map(\.json))),
      ])
  }

  private func inspectGlobals(_ file: String) throws -> JSON {
    let list = try pickleGlobals(of: file, options: reading.options(global.progress))
    if !global.json {
      let lines = list.map {
        "\($0.verdict.rawValue)\t\($0.isCalled ? "called" : "named")\t\($0.name.escapedForDisplay)"
          + "\tat byte \($0.offset)"
      }
      try Console.result(lines.isEmpty ? "no Python names" : lines.joined(separator: "\n"))
    }
    return .object([
      ("input", .string(file)),
      (
        "globals",
        .array(
          list.map {
            .object([
              ("name", .string($0.name)), ("verdict", .string($0.verdict.rawValue)),
              ("called", .bool($0.isCalled)), ("offset", .int($0.offset)),
            ])
          })
      ),
    ])
  }
}

/// One tensor as a line or as fields.
struct TensorRow {
  var info: TensorInfo
  var statistics: TensorStatistics?

  /// Name, type, shape and, where they were asked for, the numbers to four digits.
  var cells: [String] {
    let cells = [info.name.description, info.dtype.rawValue, "\(info.shape)"]
    guard let statistics, let mean = statistics.mean, let deviation = statistics.standardDeviation
    else { return cells }
    var notes = ""
    if statistics.nanCount > 0 { notes += " NaN ×\(statistics.nanCount)" }
    if statistics.infinityCount > 0 { notes += " Inf ×\(statistics.infinityCount)" }
    return cells + [
      "min \(Console.rounded(statistics.minimum))", "max \(Console.rounded(statistics.maximum))",
      "mean \(Console.rounded(mean))", "std \(Console.rounded(deviation))" + notes,
    ]
  }

  var json: JSON {
    var fields: [(key: String, value: JSON)] = [
      ("name", .string(info.name.text)), ("dtype", .string(info.dtype.rawValue)),
      ("shape", .array(info.shape.map(JSON.int))),
    ]
    if let statistics {
      fields.append(
        (
          "stats",
          .object([
            ("min", .double(statistics.minimum)), ("max", .double(statistics.maximum)),
            ("mean", statistics.mean.map(JSON.double) ?? .null),
            ("std", statistics.standardDeviation.map(JSON.double) ?? .null),
            ("nan", .int(statistics.nanCount)), ("inf", .int(statistics.infinityCount)),
            ("zero", .int(statistics.zeroCount)),
          ])
        ))
    }
    return .object(fields)
  }
}
