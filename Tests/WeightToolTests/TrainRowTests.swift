import Foundation
import TestSupport
import Testing

/// What cannot be trained on ends in one clear error, before the first step and before a run begins.
@Suite("Training that cannot begin")
struct TrainRowTests {
  private let directory: TemporaryDirectory
  private let model = Fixtures.path("runtime/masam-some-blocks.model.safetensors")

  init() throws { directory = try TemporaryDirectory() }

  /// Fixed batches: pixels a side, how many there are, and the label that fills the first slice.
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var side = 64
    var count = 2
    var label: UInt8 = 0
    var pixel: Float = 0.5
    var options: [String] = []
    var status: Int32 = 65
    /// What the error has to name.
    var words: [String]
    var testDescription: String { name }
  }

  private static let rows = [
    Row(name: "a label beyond the classes", label: 77, words: ["77", "labels"]),
    Row(name: "no batch", count: 0, words: ["images"]),
    Row(name: "slices of another size", side: 32, words: ["32", "64"]),
    Row(name: "a pixel that is no number", pixel: .nan, words: ["images"]),
    Row(name: "a rate below zero", options: ["--lr=-1"], status: 64, words: ["lr", "-1"]),
    Row(name: "a rate that is none", options: ["--lr", "nan"], status: 64, words: ["lr", "nan"]),
    Row(
      name: "batches of nothing", options: ["--batch-size", "0"], status: 64,
      words: ["batch-size"]),
    Row(
      name: "a dropout of everything", options: ["--fact-dropout", "1"], status: 64,
      words: ["fact-dropout"]),
    Row(
      name: "nothing to train", options: ["--freeze-pattern", "."], words: ["patterns"]),
  ]

  @Test(arguments: rows) func `one error, and nothing begun`(_ row: Row) throws {
    let batches = directory.file("batches.safetensors")
    try write(row, to: batches)
    let run = directory.file("run")
    let outcome = try Tool.run(
      ["train", model, "--batches", batches, "-o", run, "--steps", "2", "--quiet"] + row.options,
      in: directory, limit: 4 << 30)
    #expect(outcome.status == row.status && outcome.signal == 0, "\(outcome.errors)")
    #expect(outcome.output.isEmpty && outcome.errors.hasPrefix("error: "), "\(outcome.errors)")
    for word in row.words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
    #expect(!FileManager.default.fileExists(atPath: run + "/log.jsonl"))
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
      [
        "train", model, "--batches",
        Fixtures.path("training/masam-some-blocks.batches.safetensors"),
        "-o", run, "--steps", "2", "--quiet",
      ],
      in: directory, limit: 4 << 30)
    #expect(outcome.status == 73 && outcome.errors.contains(run), "\(outcome.errors)")
  }

  /// A safetensors file of images [n, 1, 1, 3, side, side] and labels [n, 1, side, side].
  private func write(_ row: Row, to path: String) throws {
    let plane = row.side * row.side
    let (images, labels) = (row.count * 3 * plane, row.count * plane)
    let header = """
      {"images":{"dtype":"F32","shape":[\(row.count),1,1,3,\(row.side),\(row.side)],\
      "data_offsets":[0,\(4 * images)]},\
      "labels":{"dtype":"U8","shape":[\(row.count),1,\(row.side),\(row.side)],\
      "data_offsets":[\(4 * images),\(4 * images + labels)]}}
      """
    let text = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
    var bytes = withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { Data($0) }
    bytes += Data(text.utf8)
    for _ in 0..<images { withUnsafeBytes(of: row.pixel.bitPattern.littleEndian) { bytes += $0 } }
    for index in 0..<labels { bytes.append(index < plane ? row.label : 0) }
    try bytes.write(to: URL(fileURLWithPath: path))
  }
}
