import Foundation
import TestSupport
import Testing

/// The commands that look at the machine, at files nobody knows, and at nothing but themselves.
@Suite("doctor, bench and demo by command")
struct MachineCommandTests {
  private let directory: TemporaryDirectory
  private let model = Fixtures.path("runtime/masam-tt.model.safetensors")

  init() throws { directory = try TemporaryDirectory() }

  private func wt(_ arguments: [String], _ environment: [String: String] = [:]) throws
    -> Tool.Outcome
  {
    try Tool.run(arguments, in: directory, limit: 4 << 30, environment: environment)
  }

  private func report(_ outcome: Tool.Outcome) throws -> [String: Any] {
    try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  @Test func `a sound machine passes every check`() throws {
    let outcome = try wt(["doctor", "--json"], ["TMPDIR": directory.path])
    #expect(outcome.status == 0, "\(outcome.output)")
    let checks = try #require(try report(outcome)["checks"] as? [[String: Any]])
    #expect(checks.count >= 12)
    #expect(!checks.contains { $0["status"] as? String == "fail" })
    #expect(try directory.entries().filter { $0.hasPrefix("wt-doctor") }.isEmpty)
  }

  @Test func `a machine that cannot keep temporary files fails`() throws {
    let outcome = try wt(["doctor"], ["TMPDIR": directory.file("nowhere")])
    #expect(outcome.status == 2 && outcome.output.contains("FAIL"), "\(outcome.output)")
    #expect(outcome.output.contains("TMPDIR"))
  }

  @Test(arguments: [
    ("torch/sam_tiny.pth", "wt import"), ("surgery/masam/epoch_3.pth", "wt merge-fact"),
    ("runtime/masam-tt.model.safetensors", "wt train"), ("prepare/ct", "wt prepare"),
    ("prepare/ct/img/img0007.nii.gz", "wt predict"),
  ])
  func `what comes next is said for files of each kind`(_ file: String, _ next: String) throws {
    let outcome = try wt(["doctor", "--json", Fixtures.path(file)])
    #expect(outcome.status == 0, "\(outcome.output)")
    let finding = try #require((try report(outcome)["files"] as? [[String: Any]])?.first)
    #expect((finding["suggestion"] as? String)?.hasPrefix(next) == true, "\(finding)")
  }

  /// A file of a few kilobytes may claim a grid that no machine has the memory or the time for.
  @Test(arguments: [1024, 100_000]) func `vast claims end with an error, not in work`(
    _ grid: Int
  ) throws {
    let vast = directory.file("vast.safetensors")
    try HollowModel.write(grid: grid, to: vast)
    if grid > 1024 {
      let forward = try wt(["forward", vast, model, "-o", directory.file("out.safetensors")])
      #expect(forward.status == 65 && forward.errors.contains("[unsupportedModel]"), "\(forward)")
      let bench = try wt(["bench", vast])
      #expect(bench.status == 65 && bench.errors.contains("[unsupportedModel]"), "\(bench)")
    }
    let many = try wt(["plan", vast, "--slices", "4096"])
    #expect(many.status == 65 && many.errors.contains("[unsupportedModel]"), "\(many)")
    // Five slices of 16,384 pixels a side can at least be counted.
    let plan = try wt(["plan", vast, "--json"])
    #expect(plan.status == (grid == 1024 ? 0 : 65), "\(plan)")
    #expect(plan.processorSeconds < 20, "\(plan.processorSeconds)")
  }

  @Test func `every file is told of though one cannot be read`() throws {
    try Data("nothing of use".utf8).write(to: URL(fileURLWithPath: directory.file("a b.bin")))
    let outcome = try wt(["doctor", directory.file("a b.bin"), "nowhere", model])
    #expect(outcome.status == 65)
    for text in ["[unknownFormat]", "[notFound]", "next: wt train"] {
      #expect(outcome.output.contains(text))
    }
    #expect(try wt(["doctor", "nowhere", model]).status == 66)
  }

  @Test func `kernels are timed at the extents of a model`() throws {
    let outcome = try wt(["bench", model, "--seconds", "0", "--json"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let found = try report(outcome)
    let rates = try #require(found["products_flops_per_second"] as? [String: Double])
    #expect(Set(rates.keys) == ["f32", "bf16"] && rates.values.allSatisfy { $0 > 0 })
    let kernels = try #require(found["kernels"] as? [[String: Any]])
    #expect(kernels.count == 36)
    #expect(kernels.allSatisfy { ($0["seconds"] as? Double ?? 0) > 0 })
    let plain = try wt(["bench", Fixtures.path("surgery/base.pth"), "--seconds", "0"])
    #expect(plain.output.contains("attention everywhere") && !plain.output.contains("adapter"))
    #expect(try wt(["bench", Fixtures.path("surgery/masam/epoch_3.pth")]).status == 65)
    #expect(try wt(["bench", "--seconds", "-1"]).status == 64)
  }

  /// The whole road takes a minute; here go its first steps, each as it is printed.
  @Test func `the demonstration's commands run as they are printed`() throws {
    let folder = directory.file("demo's")
    let outcome = try wt(["demo", "-o", folder, "--inputs-only", "--json"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let steps = try #require(try report(outcome)["steps"] as? [[String: Any]])
    let commands = steps.compactMap { $0["arguments"] as? [String] }
    #expect(
      commands.compactMap(\.first)
        == ["prepare", "adapt", "train", "merge-fact", "verify", "predict", "eval"])
    for command in commands.prefix(2) { #expect(try wt(command).status == 0) }
    #expect(try wt(commands[2] + ["--dry-run"]).status == 0)
    #expect(try wt(["demo", "-o", folder]).status == 73)
  }
}
