import Foundation
import TestSupport
import Testing

/// Runs the `wt` that was built beside the tests.
@Suite("The wt command")
struct CommandTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func wt(_ arguments: String...) throws -> Tool.Outcome {
    // No limit worth the name: these are ordinary runs.
    try Tool.run(arguments, in: directory, limit: 1 << 40)
  }

  @Test func `an import is the same as its source`() throws {
    let source = Fixtures.path("torch/sam_tiny.pth")
    let target = directory.file("sam.safetensors")
    let done = try wt("import", source, "-o", target, "--json")
    #expect(done.status == 0)
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(done.output.utf8)) as? [String: Any])
    #expect(report["family"] as? String == "sam")
    #expect(report["tensors"] as? Int == 188)
    #expect(try wt("diff", source, target).status == 0)
    let hashes = (try wt("hash", source).output, try wt("hash", target).output)
    #expect(hashes.0 == hashes.1)
    #expect(try wt("import", source, "-o", target).status == 73)
    #expect(try wt("import", source, "-o", target, "--force").status == 0)
  }

  @Test func `options that name nothing are wrong usage`() throws {
    let source = Fixtures.path("torch/sam_tiny.pth")
    #expect(try wt("import", source, "--as", "nothing", "--dry-run").status == 64)
    #expect(try wt("inspect", source, "--filter", "(").status == 64)
  }

  /// A list that a full disk cut short must not pass for the whole.
  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full")))
  func `a result that cannot be written is an error`() throws {
    let line = "exec \"$0\" hash \"$1\" > /dev/full 2>&1"
    let shell = Tool.process(
      ["-c", line, Tool.path, Fixtures.path("torch/sam_tiny.pth")], program: "/bin/sh")
    try shell.run()
    shell.waitUntilExit()
    #expect(shell.terminationStatus == 74)
  }

  @Test func `a dry run refuses what the format cannot hold`() throws {
    let types = Fixtures.path("torch/dtypes.pth")
    #expect(try wt("import", types, "--dry-run").status == 65)
    #expect(
      try wt("export", types, "-o", directory.file("x"), "--to", "torch", "--dry-run").status == 0)
  }

  @Test func `a dry run writes nothing`() throws {
    let target = directory.file("none.safetensors")
    #expect(
      try wt("import", Fixtures.path("torch/training.pth"), "-o", target, "--dry-run").status == 0)
    #expect(!FileManager.default.fileExists(atPath: target))
  }

  @Test func `differences exit with 2`() throws {
    let pair = [Fixtures.path("torch/sam_tiny.pth"), Fixtures.path("torch/samed_tiny.pth")]
    #expect(try wt("diff", pair[0], pair[1]).status == 2)
    let list = directory.file("list")
    try wt("hash", pair[0]).output.write(toFile: list, atomically: true, encoding: .utf8)
    #expect(try wt("hash", pair[0], "--check", list).status == 0)
    #expect(try wt("hash", pair[1], "--check", list).status == 2)
  }

  @Test func `failures have their codes and leave stdout empty`() throws {
    for (outcome, status) in [
      (try wt("import", directory.file("absent")), 66),
      (try wt("import", Fixtures.path("refused/torchscript.pt")), 65),
      (try wt("inspect", Fixtures.path("torch/two_candidates.pth")), 65),
      (try wt("frobnicate"), 64), (try wt("import"), 64),
      (try wt("import", Fixtures.path("torch/sam_tiny.pth"), "-o", "/nonexistent/x"), 73),
    ] as [(Tool.Outcome, Int32)] {
      #expect(outcome.status == status, "\(outcome.errors)")
      #expect(outcome.signal == 0)
      #expect(outcome.output.isEmpty)
      #expect(!outcome.errors.isEmpty)
    }
  }

  /// The row of the bad-input table about the output's path (132); failing calls are `FaultTests`.
  @Test(arguments: ["folder", "pipe", "absent/x", "/proc/x", "/dev/null"])
  func `an output that cannot be there is refused`(name: String) throws {
    let folder = directory.file("folder")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    try #require(mkfifo(directory.file("pipe"), 0o600) == 0)
    let before = try directory.entries()
    let target = name.hasPrefix("/") ? name : directory.file(name)
    for options in [[], ["--force"]] {
      let outcome = try Tool.run(
        ["export", Fixtures.path("torch/shared.pth"), "--to", "torch", "-o", target] + options,
        in: directory, limit: 1 << 40)
      #expect(outcome.status == 73, "\(outcome.errors)")
      #expect(try directory.entries() == before)
    }
    #expect(FileManager.default.fileExists(atPath: "/dev/null"))
  }

  /// What the link names stays as it is, whether the link is refused or replaced.
  @Test func `an output that is a link does not reach what it names`() throws {
    let other = try directory.write([1, 2, 3], as: "other")
    let link = directory.file("link")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: other)
    let source = Fixtures.path("torch/shared.pth")
    #expect(try wt("export", source, "--to", "torch", "-o", link).status == 73)
    _ = try wt("export", source, "--to", "torch", "-o", link, "--force")
    #expect(FileManager.default.contents(atPath: other) == Data([1, 2, 3]))
    #expect(try directory.entries() == ["link", "other"])
  }

  @Test func `the input is never the output`() throws {
    let path = directory.file("a.safetensors")
    try FileManager.default.copyItem(
      atPath: Fixtures.path("safetensors/metadata.safetensors"), toPath: path)
    #expect(try wt("import", path, "--force").status == 73)
  }

  /// Row 77 of the bad-input table.
  @Test func `a prefix is not taken off where that would give two tensors one name`() throws {
    for prefix in ["module.", "_orig_mod.", "sam."] {
      let pickle = PickleBuilder().op("}").text("\(prefix)a").tensor().op("s").text("a").tensor()
        .op("s").stop
      let path = try directory.write(ZipBuilder.torch(pickle).build(), as: "\(prefix)pth")
      let target = directory.file("out.safetensors")
      let outcome = try wt("import", path, "-o", target)
      #expect(outcome.status == 65 && outcome.errors.contains("[nameCollision]"))
      #expect(outcome.errors.contains("'\(prefix)a'") && outcome.errors.contains("'a'"))
      #expect(!FileManager.default.fileExists(atPath: target))
    }
  }

  @Test func `names and what they are called for are listed`() throws {
    let listed = try wt("inspect", "--globals", Fixtures.path("torch/training.pth"))
    #expect(listed.status == 0)
    #expect(listed.output.contains("argparse.Namespace"))
    let pickle = PickleBuilder().global("posix", "system").op("(").text("id").op("tR").stop
    let path = try directory.write(ZipBuilder.torch(pickle).build(), as: "evil.pth")
    #expect(try wt("inspect", "--globals", path).output.contains("posix.system"))
    #expect(try wt("inspect", path).status == 65)
    #expect(try wt("import", path, "--skip-unknown-objects").status == 65)
  }

  @Test func `inspect shows the tensors and their numbers`() throws {
    let shown = try wt(
      "inspect", Fixtures.path("torch/sam_tiny.pth"), "--stats", "--filter", "pos_embed")
    #expect(shown.output.contains("image_encoder.pos_embed  F32  [1, 6, 6, 16]  min"))
    #expect(shown.output.contains("1 tensors"))
  }

  @Test func `the version and every command's help print`() throws {
    #expect(try wt("--version").output == "0.1.0\n")
    for command in ["import", "inspect", "diff", "hash"] {
      #expect(try wt("help", command).output.contains("Examples:"))
    }
  }
}
