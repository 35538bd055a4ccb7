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

  @Test func `a model that is cut while it is used is an error, and nothing is left behind`() throws
  {
    let copy = directory.file("model.safetensors")
    try FileManager.default.copyItem(atPath: model, toPath: copy)
    let process = Tool.process([
      "forward", copy, golden, "-o", directory.file("out.safetensors"), "--repeat", "1000000",
    ])
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    Thread.sleep(forTimeInterval: 1)
    #expect(process.isRunning && truncate(copy, 0) == 0)
    let told = String(
      decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 65)
    #expect(told.contains("[fileChanged]") && told.contains("--no-map"), "\(told)")
    #expect(told.contains(copy))
    #expect(try directory.entries().filter { $0 != "model.safetensors" }.isEmpty)
  }

  @Test func `verify says what it held against what, and writes a page`() throws {
    let page = directory.file("report.html")
    let sound = try wt("verify", model, "--golden", golden, "--report", page)
    #expect(sound.status == 0 && sound.output.hasSuffix("verified\n"), "\(sound.errors)")
    #expect(try String(contentsOfFile: page, encoding: .utf8).contains("<h1 class=\"passed\">"))
    #expect(try wt("verify", model, "--report", page).status == 73)
    #expect(try wt("verify", model, "--report", directory.file("none/r.html")).status == 73)
    #expect(try wt("verify", model, "--tolerance", "inf").status == 64)
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
    let itself = try wt("verify", delta, "--against", delta)
    #expect(itself.status == 0 && itself.output.contains("skipped  forward"), "\(itself.errors)")
    #expect(try wt("verify", delta, "--against", merged).status == 65)
  }

  @Test func `a failing command prints its error as one JSON object too`() throws {
    let absent = directory.file("absent.pth")
    for (arguments, status, code) in [
      (["verify", absent], 66, "notFound"),
      (["forward", prompt, prompt, "-o", absent], 65, "badInput"),
      (["plan", model, "--nonsense"], 64, "usage"),
    ] {
      let outcome = try Tool.run(arguments + ["--json"], in: directory, limit: 4 << 30)
      #expect(outcome.status == Int32(status))
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
      let error = try #require(object["error"] as? [String: Any])
      #expect(error["code"] as? String == code && error["exit_code"] as? Int == status)
      #expect(outcome.errors.contains(error["message"] as? String ?? "?"))
      #expect(try Tool.run(arguments, in: directory, limit: 4 << 30).output.isEmpty)
    }
  }

  @Test func `a plan counts the model and estimates what it takes`() throws {
    let outcome = try wt("plan", model, "--train", "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let plan = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    let stages = try #require(plan["stages"] as? [[String: Any]])
    #expect(stages.compactMap { $0["flops"] as? Int }.reduce(0, +) == plan["flops"] as? Int)
    let parameters = try #require(plan["parameters"] as? [String: Int])
    #expect(parameters["total"] == (parameters["trainable"] ?? 0) + (parameters["frozen"] ?? 0))
    #expect((plan["estimated_seconds"] as? Double ?? 0) > 0)
    let text = try wt("plan", model)
    #expect(text.status == 0 && text.output.contains("a forward pass on 5 slices"))
    #expect(try wt("plan", Fixtures.path("surgery/masam/epoch_3.pth")).status == 65)
  }

  /// Linux tells a program's peak from that of whoever started it, here these tests.
  @Test func `a plan's own memory does not count what the starting process holds`() throws {
    let held = 400 << 20
    let bytes = UnsafeMutableRawPointer.allocate(byteCount: held, alignment: 4096)
    defer { bytes.deallocate() }
    memset(bytes, 1, held)
    let process = Tool.process(["plan", model, "--json"])
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let plan = try JSONSerialization.jsonObject(
      with: output.fileHandleForReading.readDataToEndOfFile())
    process.waitUntilExit()
    let memory = try #require((plan as? [String: Any])?["memory_bytes"] as? [String: Int])
    let program = try #require(memory["program"])
    #expect(program > 1 << 20 && program < held / 2, "\(program >> 20) MiB")
  }

  @Test func `a damaged model is a finding of verify, not an error`() throws {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: model))
    let cut = try directory.write(Array(bytes.dropLast(9)), as: "cut.safetensors")
    let outcome = try wt("verify", cut, "--golden", golden)
    #expect(outcome.status == 2 && outcome.output.contains("failed   container"))
    #expect(outcome.output.contains("not run  activations"), "\(outcome.output)")
    #expect(try wt("verify", directory.write([1, 2, 3], as: "junk")).status == 65)
  }

  @Test func `an image gets masks of its own size, with mapped weights or read ones`() throws {
    let sam = Fixtures.path("runtime/sam-published.model.safetensors")
    let asked = Fixtures.path("runtime/predictor.golden.safetensors")
    let outputs = ["--map", "--no-map"].map { directory.file($0) }
    for (output, option) in zip(outputs, ["--map", "--no-map"]) {
      let outcome = try wt("forward", sam, asked, "-o", output, option, "--json")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let report = try #require(
        try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
      let shapes = try #require(report["tensors"] as? [String: [Int]])
      #expect(shapes["masks"] == [2, 4, 45, 70] && shapes["best_masks"] == [2, 45, 70])
    }
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: outputs[0]))
        == Data(contentsOf: URL(fileURLWithPath: outputs[1])))
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
