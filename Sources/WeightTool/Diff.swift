import ArgumentParser
import Formats
import Support
import Surgery
import Verification

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Compare two checkpoints tensor by tensor.",
    discussion: """
      Exits with 2 when they differ. Names are brought to the family's canonical form first, so a
      file and its import are the same.

      Examples:
        wt diff sam_vit_b_01ec64.pth sam_vit_b_01ec64.safetensors
        wt diff a.safetensors b.safetensors --atol 1e-6 --rtol 1e-5
      """)

  @Argument(help: "The first checkpoint.", completion: .file()) var a: String
  @Argument(help: "The second checkpoint.", completion: .file()) var b: String

  @Option(help: ArgumentHelp("The family whose names to map to.", valueName: "family"))
  var map: String?
  @Option(help: ArgumentHelp("Absolute tolerance.", valueName: "number")) var atol = 0.0
  @Option(help: ArgumentHelp("Relative tolerance.", valueName: "number")) var rtol = 0.0
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func validate() throws {
    guard atol >= 0, rtol >= 0 else {
      throw ValidationError("Tolerances must be numbers of at least 0.")
    }
  }

  func run() throws {
    let (left, right) = (
      try reading.open(a, progress: global.progress),
      try reading.open(b, progress: global.progress)
    )
    let report = try CheckpointDifference(
      left, right, family: map,
      tolerance: TensorComparison.Tolerance(absolute: atol, relative: rtol))
    try Console.result(global.json ? report.json.encoded() : report.text)
    if !report.isEmpty { throw ExitCode(2) }
  }
}

/// All that differs between two checkpoints.
struct CheckpointDifference {
  struct Value {
    var name: TensorName
    var comparison: TensorComparison
  }

  var missing: [TensorName] = []
  var extra: [TensorName] = []
  var shapes: [(name: TensorName, left: [Int], right: [Int])] = []
  var dtypes: [(name: TensorName, left: DType, right: DType)] = []
  var values: [Value] = []
  var equalCount = 0

  var isEmpty: Bool {
    missing.isEmpty && extra.isEmpty && shapes.isEmpty && dtypes.isEmpty && values.isEmpty
  }

  init(
    _ left: any Checkpoint, _ right: any Checkpoint, family: String?,
    tolerance: TensorComparison.Tolerance
  ) throws {
    let (first, second) = (try Self.names(left, family), try Self.names(right, family))
    missing = first.keys.filter { second[$0] == nil }.sorted()
    extra = second.keys.filter { first[$0] == nil }.sorted()
    for name in first.keys.sorted() {
      guard let one = first[name], let other = second[name] else { continue }
      try compare(name, (left, one), (right, other), tolerance)
    }
  }

  private static func names(
    _ checkpoint: any Checkpoint, _ family: String?
  ) throws -> [TensorName: Int] {
    let recognition = try Recogniser().recognise(checkpoint, as: family)
    return recognition.allNames(checkpoint.tensors)
  }

  private mutating func compare(
    _ name: TensorName, _ left: (any Checkpoint, Int), _ right: (any Checkpoint, Int),
    _ tolerance: TensorComparison.Tolerance
  ) throws {
    let infos = (left.0.tensors[left.1], right.0.tensors[right.1])
    if infos.0.dtype != infos.1.dtype { dtypes.append((name, infos.0.dtype, infos.1.dtype)) }
    guard infos.0.shape == infos.1.shape else {
      return shapes.append((name, infos.0.shape, infos.1.shape))
    }
    let isExact = tolerance.absolute == 0 && tolerance.relative == 0
    if infos.0.dtype == infos.1.dtype, try haveEqualBytes(left, right) { return equalCount += 1 }
    var comparison = try TensorComparison(left, right, tolerance) ?? TensorComparison()
    // Bits may differ where numbers do not: payloads of NaNs, integers beyond 2^53.
    if infos.0.dtype == infos.1.dtype { comparison.differing = max(1, comparison.differing) }
    if comparison.beyondTolerance > 0 || (isExact && comparison.differing > 0) {
      values.append(Value(name: name, comparison: comparison))
    } else {
      equalCount += 1
    }
  }

  var text: String {
    var lines: [String] = []
    lines += missing.map { "missing in B: \($0)" }
    lines += extra.map { "only in B: \($0)" }
    lines += shapes.map { "shape: \($0.name) \($0.left) and \($0.right)" }
    lines += dtypes.map { "dtype: \($0.name) \($0.left.rawValue) and \($0.right.rawValue)" }
    lines += values.map { value in
      "value: \(value.name) max abs \(value.comparison.largestAbsolute), max rel "
        + "\(value.comparison.largestRelative), \(value.comparison.differing) elements"
        + (value.comparison.firstIndex.map { ", first at \($0)" } ?? "")
    }
    lines.append(isEmpty ? "the same: \(equalCount) tensors" : "\(equalCount) tensors are the same")
    return lines.joined(separator: "\n")
  }

  var json: JSON {
    let names = { (names: [TensorName]) in JSON.array(names.map { .string($0.text) }) }
    return .object([
      ("equal", .bool(isEmpty)), ("equal_tensors", .int(equalCount)),
      ("missing", names(missing)), ("extra", names(extra)),
      (
        "shape",
        .array(
          shapes.map {
            .object([
              ("name", .string($0.name.text)), ("a", .array($0.left.map(JSON.int))),
              ("b", .array($0.right.map(JSON.int))),
            ])
          })
      ),
      (
        "dtype",
        .array(
          dtypes.map {
            .object([
              ("name", .string($0.name.text)), ("a", .string($0.left.rawValue)),
              ("b", .string($0.right.rawValue)),
            ])
          })
      ),
      ("value", .array(values.map(Self.json))),
    ])
  }

  private static func json(_ value: Value) -> JSON {
    .object([
      ("name", .string(value.name.text)),
      ("max_abs", .double(value.comparison.largestAbsolute)),
      ("max_rel", .double(value.comparison.largestRelative)),
      ("differing", .int(value.comparison.differing)),
      ("first_index", value.comparison.firstIndex.map(JSON.int) ?? .null),
    ])
  }
}
