import Formats
import Foundation
import TestSupport
import Testing

/// What `wt` may write over, and what it leaves when it is stopped.
@Suite("Outputs") struct OutputCommandTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func wt(_ arguments: String...) throws -> Tool.Outcome {
    try Tool.run(arguments, in: directory, limit: 1 << 40)
  }

  /// A checkpoint of tensors of 1000 bytes, all of one value.
  private func model(_ name: String, tensors: Int, value: UInt8 = 1) throws -> String {
    let infos = try (0..<tensors).map {
      try TensorInfo(name: TensorName("t\($0)"), dtype: .uint8, shape: [1000])
    }
    let path = directory.file(name)
    _ = try CheckpointWriter(
      infos, from: { _ in ArrayReader([UInt8](repeating: value, count: 1000)) }
    ).write(to: path, overwrite: true)
    return path
  }

  private func contents() throws -> [String: Data?] {
    let names = try directory.entries()
    return Dictionary(
      uniqueKeysWithValues: names.map {
        ($0, FileManager.default.contents(atPath: directory.file($0)))
      })
  }

  @Test(arguments: ["k-00001-of-00002.safetensors", "k.safetensors.index.json"])
  func `no shard is written over an input`(input: String) throws {
    let (model, target) = (try model("m.safetensors", tensors: 4), directory.file("k.safetensors"))
    let split = ["--to", "safetensors", "--shard-size"]
    #expect(
      try Tool.run(["export", model, "-o", target] + split + ["2kB"], in: directory).status == 0)
    let before = try contents()
    // The first has two tensors, which one kilobyte each makes two shards of the same names.
    let size = input.hasSuffix("json") ? "2kB" : "1kB"
    for (command, form) in [("export", ["--to", "safetensors"]), ("import", [])] {
      let line = [command, directory.file(input), "-o", target, "--shard-size", size] + form
      for more in [["--force"], ["--force", "--dry-run"], ["--dry-run"], []] {
        let outcome = try Tool.run(line + more, in: directory)
        #expect(outcome.status == 73, "\(line + more)")
        #expect(more.first != "--force" || outcome.errors.contains("it is an input"))
      }
    }
    #expect(try contents() == before)
  }

  @Test func `a dry run refuses the targets that a run refuses`() throws {
    let model = try model("m.safetensors", tensors: 4)
    let form = ["--to", "safetensors", "--dry-run"]
    for (target, more) in [
      ("m.safetensors", []), ("m.safetensors", ["--force"]), ("absent/a.safetensors", []),
    ] {
      let line = ["export", model, "-o", directory.file(target)] + form + more
      #expect(try Tool.run(line, in: directory).status == 73, "\(line)")
    }
    #expect(try wt("import", model, "-o", model, "--dry-run").status == 73)
    let done = try wt(
      "export", model, "-o", directory.file("k.safetensors"), "--to", "safetensors", "--dry-run",
      "--shard-size", "2kB")
    #expect(done.output.contains("k-00002-of-00002.safetensors"))
    #expect(done.output.contains("k.safetensors.index.json") && !done.errors.contains("--force"))
    #expect(try directory.entries() == ["m.safetensors"])
    let shard = directory.file("k-00002-of-00002.safetensors")
    try Data().write(to: URL(fileURLWithPath: shard))
    let warned = try wt(
      "export", model, "-o", directory.file("k.safetensors"), "--to", "safetensors", "--dry-run",
      "--shard-size", "2kB")
    #expect(warned.status == 0 && warned.errors.contains("\(shard) is there already"))
  }

  /// A slash and the mark after it are one character, but two bytes of a path.
  @Test func `a name may begin with a combining mark`() throws {
    let model = try model("m.safetensors", tensors: 4)
    let target = directory.path + "/\u{301}x.safetensors"
    let outcome = try wt("export", model, "-o", target, "--to", "safetensors")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try directory.entries().count == 2)
  }

  /// They would fail when all has been written.
  @Test func `names that cannot be read back are refused before any work`() throws {
    let model = try model("m.safetensors", tensors: 4)
    let long = String(repeating: "n", count: 244) + ".safetensors"
    for (name, more) in [
      (long + ".zst", []), (long, ["--shard-size", "2kB"]), ("a\\b", ["--shard-size", "2kB"]),
    ] {
      for mode in [[], ["--dry-run"]] {
        let line = ["export", model, "-o", directory.file(name), "--to", "safetensors"]
        let outcome = try Tool.run(line + more + mode, in: directory)
        #expect(outcome.status == 73 && outcome.errors.contains("name"), "\(outcome.errors)")
      }
    }
    #expect(try directory.entries() == ["m.safetensors"])
  }

  @Test(.timeLimit(.minutes(5)))
  func `a run that is stopped leaves the old files or the new ones, and no others`() throws {
    let (old, new) = (
      try model("old.safetensors", tensors: 100),
      try model("new.safetensors", tensors: 100, value: 2)
    )
    let split = ["--to", "safetensors", "--shard-size", "1kB", "--force"]
    let target = directory.file("k.safetensors")
    #expect(try Tool.run(["export", old, "-o", target] + split, in: directory).status == 0)
    let names = try directory.entries()
    for trial in 0..<12 {
      let process = Tool.process(["export", trial % 2 == 0 ? new : old, "-o", target] + split)
      try process.run()
      usleep(useconds_t(20_000 + 25_000 * trial))
      process.terminate()
      process.waitUntilExit()
      #expect(try directory.entries() == names)
      let values = try names.filter { $0.contains("-of-") }.map {
        try #require(FileManager.default.contents(atPath: directory.file($0))?.last)
      }
      #expect(Set(values).count == 1, "trial \(trial)")
    }
  }

  @Test func `what takes --allow-expand to be read says so when it is written`() throws {
    let info = try TensorInfo(name: "t", dtype: .uint8, shape: [70, 1 << 20])
    let zeros = directory.file("zeros.safetensors")
    _ = try CheckpointWriter(
      [info], from: { _ in ArrayReader([UInt8](repeating: 0, count: 70 << 20)) }
    ).write(to: zeros, overwrite: true)
    for (name, form) in [
      ("a.safetensors.zst", ["safetensors"]), ("a.h5", ["hdf5", "--compression", "zstd"]),
    ] {
      let target = directory.file(name)
      let done = try Tool.run(
        ["export", zeros, "-o", target, "--to"] + form, in: directory, limit: 1 << 40)
      #expect(done.status == 0 && done.errors.contains("--allow-expand"), "\(done.errors)")
      #expect(try wt("inspect", target).status == 65)
      #expect(try wt("inspect", target, "--allow-expand").status == 0)
    }
    let small = try wt(
      "export", model("m.safetensors", tensors: 4), "-o", directory.file("m.safetensors.zst"),
      "--to", "safetensors")
    #expect(small.status == 0 && !small.errors.contains("--allow-expand"))
  }

  @Test func `shared storages are kept or told`() throws {
    let source = Fixtures.path("torch/shared.pth")
    let note = "4 tensors share storages"
    let kept = try wt("export", source, "-o", directory.file("a.pth"), "--to", "torch")
    #expect(kept.status == 0 && !kept.errors.contains(note))
    let again = try wt(
      "export", directory.file("a.pth"), "-o", directory.file("a.safetensors"), "--to",
      "safetensors")
    #expect(again.errors.contains(note))
    #expect(try wt("import", source, "-o", directory.file("b.safetensors")).errors.contains(note))
    let strided = try wt(
      "export", Fixtures.path("torch/strided.pth"), "-o", directory.file("c.pth"), "--to", "torch")
    #expect(strided.errors.contains("5 tensors share storages"))
  }
}
