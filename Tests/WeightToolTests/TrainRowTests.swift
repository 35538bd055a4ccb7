import Foundation
import TestSupport
import Testing

/// What cannot be trained on ends in one clear error, before the first step and before a run begins.
@Suite("Training that cannot begin")
struct TrainRowTests {
  private let directory: TemporaryDirectory
  private let model = Fixtures.path("runtime/masam-some-blocks.model.safetensors")

  init() throws { directory = try TemporaryDirectory() }

  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var change: @Sendable (inout FixedBatches) -> Void = { _ in }
    var options: [String] = []
    var status: Int32 = 65
    /// What the error has to name.
    var words: [String]
    var testDescription: String { name }
  }

  private static let rows = [
    Row(
      name: "a label beyond the classes", change: { $0.label = 77 }, words: ["77", "labels"]),
    Row(name: "no batch", change: { $0.count = 0 }, words: ["images"]),
    Row(name: "slices of another size", change: { $0.side = 32 }, words: ["32", "64"]),
    Row(
      name: "stacks of another depth", change: { $0.slices = 2 },
      words: ["2", "stacks of 3 slices", "--slices"]),
    Row(name: "a pixel that is no number", change: { $0.pixel = .nan }, words: ["images"]),
    Row(
      name: "a box beside the image", change: { $0.box = [70, 1, 80, 9] }, words: ["boxes", "70"]),
    Row(
      name: "a box turned round", change: { $0.box = [9, 1, 3, 9] }, words: ["boxes", "9"]),
    Row(
      name: "no box where one is asked for", options: ["--prompt", "box3d"], words: ["boxes"]),
    Row(name: "a rate below zero", options: ["--lr=-1"], status: 64, words: ["lr", "-1"]),
    Row(
      name: "a rate below zero as a word of its own", options: ["--lr", "-1"], status: 64,
      words: ["lr", "-1"]),
    Row(
      name: "a rate that single precision has not", options: ["--lr", "1e-60"], status: 64,
      words: ["lr", "1e-60"]),
    Row(name: "a rate that is none", options: ["--lr", "nan"], status: 64, words: ["lr", "nan"]),
    Row(
      name: "batches of nothing", options: ["--batch-size", "0"], status: 64,
      words: ["batch-size"]),
    Row(
      name: "a dropout of everything", options: ["--fact-dropout", "1"], status: 64,
      words: ["fact-dropout"]),
    Row(
      name: "nothing to train", options: ["--freeze-pattern", "."], words: ["patterns"]),
    Row(
      name: "a pattern of nothing", options: ["--train-pattern", ""], status: 64,
      words: ["train-pattern", "empty"]),
    Row(
      name: "a pattern that is none", options: ["--freeze-pattern", "("], status: 64,
      words: ["freeze-pattern", "regular expressions", "("]),
  ]

  @Test(arguments: rows) func `one error, and nothing begun`(_ row: Row) throws {
    let batches = directory.file("batches.safetensors")
    var content = FixedBatches()
    content.slices = 3
    row.change(&content)
    try content.write(to: batches)
    let run = directory.file("run")
    let outcome = try Tool.run(
      ["train", model, "--batches", batches, "-o", run, "--steps", "2", "--quiet"] + row.options,
      in: directory, limit: 4 << 30)
    #expect(outcome.status == row.status && outcome.signal == 0, "\(outcome.errors)")
    #expect(outcome.output.isEmpty && outcome.errors.hasPrefix("error: "), "\(outcome.errors)")
    for word in row.words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
    #expect(!FileManager.default.fileExists(atPath: run + "/log.jsonl"))
  }

  /// Only the first step can tell; the run has begun by then, and holds nothing.
  @Test func `a run in which masks depend on nothing trained`() throws {
    let run = directory.file("run")
    let outcome = try Tool.run(
      [
        "train", model, "--batches", try batches(), "-o", run, "--steps", "2", "--quiet",
        "--freeze-pattern", "^(?!.*iou_prediction_head)",
      ], in: directory, limit: 4 << 30)
    #expect(outcome.status == 64, "\(outcome.errors)")
    for word in ["iou_prediction_head", "--train-pattern", "[badConfiguration]"] {
      #expect(outcome.errors.contains(word), "\(outcome.errors)")
    }
    let log = try Data(contentsOf: URL(filePath: run + "/log.jsonl"))
    #expect(log.isEmpty)
  }

  @Test func `data of other sizes and classes are refused by the case`() throws {
    let outcome = try Tool.run(
      ["train", model, Fixtures.path("datasets/stack.h5"), "-o", directory.file("run"), "--quiet"],
      in: directory, limit: 4 << 30)
    #expect(outcome.status == 65 && outcome.errors.contains("[dataMismatch]"), "\(outcome.errors)")
    #expect(outcome.errors.contains("case.one") && outcome.errors.contains("--image-size"))
  }

  @Test(arguments: ["/proc/run", "/dev/null/run"])
  func `a place where nothing can be written`(_ run: String) throws {
    let outcome = try Tool.run(
      ["train", model, "--batches", batches(), "-o", run, "--steps", "2", "--quiet"],
      in: directory, limit: 4 << 30)
    #expect(outcome.status == 73 && outcome.errors.contains(run), "\(outcome.errors)")
  }

  private func batches() throws -> String {
    let path = directory.file("batches.safetensors")
    var content = FixedBatches()
    content.slices = 3
    try content.write(to: path)
    return path
  }

  /// What a dry run says is what the run would say.
  @Test func `a dry run looks at the output and at the data to validate with`() throws {
    let run = directory.file("run")
    let arguments = [
      "train", model, "--batches", try batches(), "-o", run, "--steps", "2", "--dry-run",
    ]
    #expect(try Tool.run(arguments, in: directory, limit: 4 << 30).status == 0)
    let told = try Tool.run(arguments + ["--json"], in: directory, limit: 4 << 30)
    let object = try #require(
      JSONSerialization.jsonObject(with: Data(told.output.utf8)) as? [String: Any])
    #expect(object["dry_run"] as? Bool == true && object["steps"] as? Int == 2)
    let names = try #require(object["trained"] as? [String])
    #expect(names.contains { $0.contains("FacTu") } && !names.contains { $0.contains("neck") })
    #expect(!FileManager.default.fileExists(atPath: run))
    let validation = arguments + ["--validate", Fixtures.path("datasets/stack.h5")]
    #expect(try Tool.run(validation, in: directory, limit: 4 << 30).status == 65)
    _ = try directory.write("taken".utf8, as: "run")
    #expect(try Tool.run(arguments, in: directory, limit: 4 << 30).status == 73)
  }
}
