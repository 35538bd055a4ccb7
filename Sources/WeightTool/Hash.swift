import ArgumentParser
import Formats
import Support
import Surgery

struct Hash: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hash",
    abstract: "Print SHA-256 digests of the tensors and of all of them together.",
    discussion: """
      The digests do not depend on container, order or metadata.

      Examples:
        wt hash model.safetensors > model.sha256
        wt hash model.pth --check model.sha256
      """)

  @Argument(help: "The checkpoint.", completion: .file()) var file: String

  @Option(help: ArgumentHelp("Compare with a list printed before.", valueName: "list"))
  var check: String?

  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func run() throws {
    let hash = try CheckpointHash(
      reading.open(file, progress: global.progress), progress: global.progress)
    guard let check else {
      return try Console.result(global.json ? json(hash).encoded() : text(hash))
    }
    let differences = try HashList(readingFrom: check).differences(from: hash)
    if global.json {
      try Console.result(
        JSON.object([
          ("equal", .bool(differences.isEmpty)),
          ("differences", .array(differences.map(JSON.string))), ("content", .string(hash.content)),
        ]).encoded())
    } else {
      try Console.result(differences.isEmpty ? "the same" : differences.joined(separator: "\n"))
    }
    if !differences.isEmpty { throw ExitCode(2) }
  }

  private func text(_ hash: CheckpointHash) -> String {
    (hash.tensors.map { "\($0.digest)  \($0.name.text.escapedForDisplay)" }
      + ["\(hash.content)  *"]).joined(separator: "\n")
  }

  private func json(_ hash: CheckpointHash) -> JSON {
    .object([
      ("input", .string(file)), ("content", .string(hash.content)),
      (
        "tensors",
        .object(hash.tensors.map { (key: $0.name.text, value: .string($0.digest)) })
      ),
    ])
  }
}

/// A list as `wt hash` prints it: digest, two spaces, name; `*` names the whole.
struct HashList {
  private var digests: [TensorName: String] = [:]

  init(readingFrom path: String) throws {
    let file = try InputFile(path)
    let text = String(decoding: try file.bytes(0..<file.size), as: UTF8.self)
    for (number, line) in text.split(separator: "\n").enumerated() {
      let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, parts[0].count == 64, parts[0].allSatisfy(\.isHexDigit),
        parts[1].hasPrefix(" ")
      else {
        throw FormatError(
          .badHeader, file: path, expected: "a digest, two spaces and a name",
          found: "line \(number + 1)")
      }
      digests[TensorName(String(parts[1].dropFirst()))] = parts[0].lowercased()
    }
  }

  func differences(from hash: CheckpointHash) -> [String] {
    var lines: [String] = []
    var rest = digests
    for (name, digest) in hash.tensors.map({ ($0.name.text.escapedForDisplay, $0.digest) })
      + [("*", hash.content)]
    {
      let listed = rest.removeValue(forKey: TensorName(name))
      if listed == nil { lines.append("not in the list: \(name)") }
      if let listed, listed != digest { lines.append("differs: \(name)") }
    }
    return lines + rest.keys.sorted().map { "not in the file: \($0)" }
  }
}
