import Foundation
import TestSupport
import Testing

@Suite("Running and verifying by command")
struct ForwardCommandTests {
  private let directory: TemporaryDirectory
  private let model = Fixtures.path("runtime/masam-tt.model.safetensors")
  private let golden = Fixtures.path("runtime/masam-tt.golden.safetensors")
  private let prompt = Fixtures.path("runtime/prompt.model.safetensors")

  init() throws { directory = try TemporaryDirectory() }

  private func wt(_ arguments: String...) throws -> Tool.Outcome {
    try Tool.run(arguments, in: directory, limit: 4 << 30)
  }

  @Test func `forward writes what golden files hold, the same every time`() throws {
    let outputs = (1...2).map { directory.file("\($0).safetensors") }
    let first = try wt(
      "forward", model, golden, "-o", outputs[0], "--trace", "--repeat", "2", "--json")
    #expect(first.status == 0, "\(first.errors)")
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(first.output.utf8)) as? [String: Any])
    let seconds = try #require(report["seconds"] as? [String: Any])
    #expect((seconds["compute"] as? [Double])?.count == 2 && seconds["load"] is Double)
    #expect((report["peak_rss_bytes"] as? Int ?? 0) > 1 << 20)
    let shapes = try #require(report["tensors"] as? [String: [Int]])
    #expect(shapes["low_res_logits"] == [5, 3, 64, 64] && shapes["trace.blocks.3"] != nil)
    let second = try wt(
      "forward", model, golden, "-o", outputs[1], "--trace", "--threads", "1")
    #expect(second.status == 0)
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: outputs[0]))
        == Data(contentsOf: URL(fileURLWithPath: outputs[1])))
  }

  @Test func `verify says what it held against what, and writes a page`() throws {
    let page = directory.file("report.html")
    let sound = try wt("verify", model, "--golden", golden, "--report", page)
    #expect(sound.status == 0 && sound.output.hasSuffix("verified\n"), "\(sound.errors)")
    #expect(try String(contentsOfFile: page, encoding: .utf8).contains("<h1 class=\"passed\">"))
    #expect(try wt("verify", model, "--report", page).status == 73)
    let strict = try wt("verify", model, "--golden", golden, "--tolerance", "0", "--json")
    #expect(strict.status == 2)
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(strict.output.utf8)) as? [String: Any])
    #expect(report["passed"] as? Bool == false)
  }

  @Test func `a merge is verified against the delta it came from`() throws {
    let (base, delta) = (
      Fixtures.path("surgery/base.pth"), Fixtures.path("surgery/masam/epoch_3.pth")
    )
    let merged = directory.file("merged.safetensors")
    #expect(try wt("merge-fact", delta, "--base", base, "-o", merged).status == 0)
    let verified = try wt("verify", merged, "--against", delta, "--base", base)
    #expect(verified.status == 0, "\(verified.output)\(verified.errors)")
    for level in ["provenance", "algebra", "forward"] {
      #expect(verified.output.contains("passed   \(level)"), "\(verified.output)")
    }
    let alone = try wt("verify", merged, "--against", delta)
    #expect(alone.status == 65 && alone.errors.contains("--base"))
    #expect(try wt("verify", model, "--against", merged).status == 2)
  }

  @Test func `inputs that do not fit are refused and nothing is written`() throws {
    let output = directory.file("out.safetensors")
    let other = Fixtures.path("runtime/masam-wide-heads.golden.safetensors")
    let delta = Fixtures.path("surgery/masam/epoch_3.pth")
    for (arguments, code) in [
      ([prompt, other], "wrongSize"), ([prompt, prompt], "badInput"),
      ([delta, golden], "unsupportedModel"),
      ([golden, golden], "schemaMismatch"),
    ] {
      let outcome = try wt("forward", arguments[0], arguments[1], "-o", output)
      #expect(outcome.status == 65 && outcome.signal == 0, "\(outcome.errors)")
      #expect(outcome.errors.contains("[\(code)]"), "\(outcome.errors)")
      #expect(!FileManager.default.fileExists(atPath: output))
    }
    let golden = try wt("verify", prompt, "--golden", golden)
    #expect(golden.status == 65 && golden.errors.contains("[goldenMismatch]"))
  }
}
