import Formats
import Foundation
import TestSupport
import Testing

@Suite("Surgery by command")
struct SurgeryCommandTests {
  private let directory: TemporaryDirectory
  private let base = Fixtures.path("surgery/base.pth")
  private let delta = Fixtures.path("surgery/masam/epoch_3.pth")

  init() throws { directory = try TemporaryDirectory() }

  private func wt(_ arguments: String...) throws -> Tool.Outcome {
    try Tool.run(arguments, in: directory)
  }

  private func report(_ outcome: Tool.Outcome) throws -> [String: Any] {
    let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    return try #require(object as? [String: Any])
  }

  @Test func `adapt, extract, apply and merge agree with each other`() throws {
    let files = (1...5).map { directory.file("\($0).safetensors") }
    let adapted = try wt(
      "adapt", base, "-o", files[0], "--classes", "2", "--rank", "4", "--image-size", "96",
      "--adapter-channels", "6", "--class-names", "a,b", "--json")
    #expect(adapted.status == 0, "\(adapted.errors)")
    let architecture = try #require(try report(adapted)["architecture"] as? [String: Any])
    #expect(architecture["image_size"] as? Int == 96)
    let hash = try #require(architecture["base"] as? String)
    #expect(try wt("hash", base).output.contains(hash))
    #expect(try wt("inspect", files[0]).output.contains("factors: tt, rank 4, scale 1.0"))
    #expect(try wt("extract", files[0], "-o", files[1]).status == 0)
    #expect(try wt("apply", files[1], "--base", base, "-o", files[2]).status == 0)
    #expect(try wt("diff", files[0], files[2]).status == 0)
    #expect(try wt("merge-fact", files[0], "-o", files[3]).status == 0)
    #expect(try wt("merge", files[1], "--base", base, "-o", files[4]).status == 0)
    #expect(try wt("diff", files[3], files[4]).status == 0)
  }

  @Test func `config.txt is read, options win, defaults are announced`() throws {
    let merged = directory.file("merged.safetensors")
    let run = try wt("merge-fact", delta, "--base", base, "-o", merged, "--json")
    #expect(run.status == 0)
    #expect(run.errors.contains("scale 0.5 is taken from config.txt"))
    #expect(run.errors.contains("slices is said nowhere: 5"))
    let updates = try #require(try report(run)["merged"] as? [[String: Any]])
    #expect(updates.count == 8)
    let norm = try #require(updates[0]["relative_norm"] as? Double)
    let doubled = try report(
      try wt(
        "merge-fact", delta, "--base", base, "-o", directory.file("2"), "--scale", "1", "--json"))
    let other = try #require(
      (doubled["merged"] as? [[String: Any]])?.first?["relative_norm"] as? Double)
    #expect(abs(other - 2 * norm) < 1e-12)
    let lonely = directory.file("alone.pth")
    try FileManager.default.copyItem(atPath: delta, toPath: lonely)
    let dry = try wt(
      "apply", lonely, "--base", base, "-o", directory.file("x"), "--dry-run")
    #expect(dry.status == 0)
    #expect(dry.errors.contains("scale is said nowhere: 1 is used"))
    #expect(dry.errors.contains("image size is said nowhere: 512 is used"))
  }

  @Test func `unmerging gives the factors back`() throws {
    let files = (1...3).map { directory.file("\($0).safetensors") }
    #expect(try wt("apply", delta, "--base", base, "-o", files[0]).status == 0)
    #expect(try wt("merge", files[0], "-o", files[1]).status == 0)
    #expect(try wt("unmerge-fact", files[1], "--delta", delta, "-o", files[2]).status == 0)
    #expect(try wt("diff", files[0], files[2], "--atol", "1e-8").status == 0)
  }

  @Test func `a dry run shows every tensor and writes nothing`() throws {
    let before = try directory.entries()
    let run = try wt(
      "adapt", base, "-o", directory.file("x"), "--classes", "2", "--rank", "4", "--dry-run")
    #expect(run.status == 0)
    #expect(run.output.contains("copied from 'image_encoder.neck.0.weight'"))
    #expect(run.output.contains("resized bilinearly, of 'image_encoder.pos_embed'"))
    #expect(run.output.contains("uniform within ±0.5, seed 1234"))
    #expect(run.output.contains("trainable"))
    #expect(try directory.entries() == before)
    let json = try report(
      try wt(
        "adapt", base, "-o", directory.file("x"), "--classes", "2", "--rank", "4", "--dry-run",
        "--json"))
    #expect((json["architecture"] as? [String: Any])?["base"] is NSNull)
    #expect((json["plan"] as? [[String: Any]])?.count == json["tensors"] as? Int)
  }

  @Test func `a printed recipe makes the same bytes`() throws {
    let recipe = directory.file("recipe.yaml")
    let options = ["adapt", base, "--classes", "3", "--rank", "4", "--fact-blocks", "0-1,3"]
    let printed = try Tool.run(options + ["-o", "unused", "--print-recipe"], in: directory)
    try printed.output.write(toFile: recipe, atomically: true, encoding: .utf8)
    let (one, two) = (directory.file("1.safetensors"), directory.file("2.safetensors"))
    #expect(try Tool.run(options + ["-o", one], in: directory).status == 0)
    let made = try wt("surgery", recipe, "-o", two, "--threads", "1")
    #expect(made.status == 0, "\(made.errors)")
    #expect(FileManager.default.contentsEqual(atPath: one, andPath: two))
  }

  @Test func `classes, casts and means by command`() throws {
    let files = (1...4).map { directory.file("\($0).safetensors") }
    #expect(
      try wt("set-classes", delta, "-o", files[0], "--map", "b:2,a:1,ab:1+2,new:").status == 0)
    #expect(try wt("inspect", files[0]).output.contains("5 mask tokens"))
    let cast = try wt("cast", delta, "-o", files[1], "--dtype", "bf16")
    #expect(cast.status == 0 && cast.output.contains("rounding:"))
    #expect(try wt("average", files[1], files[1], "-o", files[2]).status == 0)
    #expect(try wt("diff", files[1], files[2]).status == 0)
    #expect(try wt("set-classes", delta, "-o", files[3], "--map", "a:9").status == 65)
  }

  @Test func `wrong pairings exit with 65, name the file, and write nothing`() throws {
    let merged = directory.file("merged.safetensors")
    #expect(try wt("merge-fact", delta, "--base", base, "-o", merged).status == 0)
    let small = Fixtures.path("torch/sam_tiny.pth")
    let output = directory.file("out.safetensors")
    let shallow = try Altered.write(
      base, to: directory.file("shallow.pth"), without: "image_encoder.blocks.3.")
    let half = try Altered.write(
      delta, to: directory.file("half.pth"), without: "mask_decoder.output_upscaling.9.")
    let torn = try Altered.write(
      delta, to: directory.file("torn.pth"), without: "q_FacTs_002")
    let poisoned = try Altered.write(
      delta, to: directory.file("poisoned.pth"), replacing: "image_encoder.FacTv.weight"
    ) { $0 == 5 ? .nan : 0.5 }
    let own = directory.file("own.safetensors")
    #expect(try wt("apply", delta, "--base", base, "-o", own).status == 0)
    let extracted = directory.file("extracted.safetensors")
    #expect(try wt("extract", own, "-o", extracted).status == 0)
    let other = try Altered.write(
      base, to: directory.file("other.pth"), replacing: "image_encoder.blocks.1.norm1.bias")
    let before = try directory.entries()
    for (arguments, words) in [
      (["merge-fact", delta, "--base", small], ["epoch_3.pth", "width", "16", "32"]),
      (["merge-fact", delta], ["--base", "no image encoder"]),
      (["merge-fact", merged], ["merged before", "'tt'"]),
      (["merge-fact", delta, "--base", merged], ["merged.safetensors", "merged before"]),
      (["merge-fact", base], ["base.pth", "without any"]),
      (["apply", base, "--base", base], ["a whole model of family 'sam'"]),
      (["adapt", merged, "--classes", "2"], ["merged before"]),
      (["adapt", base, "--classes", "2", "--image-size", "100"], ["multiple of the patch, 16"]),
      (["unmerge-fact", base, "--delta", delta], ["wt.merged"]),
      (["extract", delta], ["no image encoder"]),
      (["average", base, delta], ["same tensors in all"]),
      (["merge-fact", delta, "--base", shallow], ["depth", "3, as", "4, as"]),
      (
        ["merge-fact", half, "--base", base], ["half.pth", "mask_decoder.output_upscaling.9.bias"]
      ),
      (["apply", torn, "--base", base], ["torn.pth", "blocks.2.attn.q_FacTs.weight"]),
      (
        ["merge-fact", poisoned, "--base", base],
        ["image_encoder.FacTv.weight", "nan at element 5"]
      ),
      (
        ["merge-fact", extracted, "--base", other],
        ["other.pth", "content hash", "--allow-different-base"]
      ),
      (["apply", delta, "--base", own], ["own.safetensors", "adapted before"]),
    ] as [([String], [String])] {
      let run = try Tool.run(arguments + ["-o", output], in: directory)
      #expect(run.status == 65, "\(arguments)")
      for word in words { #expect(run.errors.contains(word), "\(run.errors)") }
      #expect(run.output.isEmpty)
    }
    #expect(try directory.entries() == before)
  }

  @Test func `what is no use of a command exits with 64`() throws {
    for arguments in [
      ["adapt", base, "-o", "x"], ["adapt", base, "--classes", "2"],
      ["adapt", base, "-o", "x", "--classes", "2", "--class-names", "a"],
      ["adapt", base, "-o", "x", "--classes", "2", "--fact-kind", "tucker"],
      ["adapt", base, "-o", "x", "--classes", "2", "--fact-blocks", "3-1"],
      ["average", base, "-o", "x"], ["set-classes", base, "-o", "x"], ["apply", base, "-o", "x"],
    ] {
      #expect(try Tool.run(arguments, in: directory).status == 64, "\(arguments)")
    }
  }

  @Test func `inputs are never the output`() throws {
    let path = directory.file("delta.pth")
    try FileManager.default.copyItem(atPath: delta, toPath: path)
    #expect(try wt("apply", path, "--base", base, "-o", path, "--force").status == 73)
  }

  @Test func `every command's help has examples`() throws {
    for command in [
      "adapt", "merge-fact", "unmerge-fact", "apply", "extract", "set-classes", "cast", "average",
      "surgery",
    ] {
      #expect(try wt("help", command).output.contains("Examples:"))
    }
  }

  @Test func `nothing that is read is written over, even by force`() throws {
    let recipe = try directory.write("operations: [set-slices: {count: 3}]\n".utf8, as: "r.yaml")
    let run = directory.path + "/run"
    try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: false)
    for name in ["epoch_3.pth", "config.txt"] {
      try FileManager.default.copyItem(
        atPath: Fixtures.path("surgery/masam/" + name), toPath: run + "/" + name)
    }
    let copy = run + "/epoch_3.pth"
    for (arguments, target) in [
      (["surgery", recipe, "--base", base], recipe),
      (["merge", copy, "--base", base], run + "/config.txt"),
      (["apply", copy, "--base", base], copy),
      (["verify", copy, "--report", copy], ""),
    ] {
      let before = target.isEmpty ? nil : FileManager.default.contents(atPath: target)
      let output = target.isEmpty ? [] : ["-o", target]
      let outcome = try Tool.run(arguments + output + ["--force"], in: directory)
      #expect(outcome.status == 73 && outcome.errors.contains("is an input"), "\(outcome.errors)")
      #expect(target.isEmpty || FileManager.default.contents(atPath: target) == before)
    }
  }

  @Test func `what a file says cannot steer the terminal`() throws {
    let hostile = directory.file("hostile.safetensors")
    let file = try openCheckpoint(base)
    var metadata = file.metadata
    metadata["wt.merged"] = "tt\u{1B}]0;x\u{7}\n\u{202E}"
    _ = try CheckpointWriter(file.tensors, metadata: metadata) { try file.reader(of: $0) }
      .write(to: hostile, overwrite: false)
    for command in ["extract", "adapt"] {
      let more = command == "adapt" ? ["--classes", "2"] : []
      let outcome = try Tool.run(
        [command, hostile, "-o", directory.file("x")] + more, in: directory)
      #expect(outcome.status == 65 && outcome.errors.contains("\\u{1b}"), "\(outcome.errors)")
      #expect(outcome.errors.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 })
      #expect(!outcome.errors.unicodeScalars.contains("\u{202E}"))
    }
  }

  /// Wherever it is, and whichever command merges.
  @Test(arguments: ["mask_decoder.iou_token.weight", "image_encoder.blocks.1.adapter_conv.bias"])
  func `a merge of numbers that are none is refused`(_ name: String) throws {
    let whole = directory.file("whole.safetensors")
    #expect(try wt("apply", delta, "--base", base, "-o", whole).status == 0)
    let poisoned = try Altered.write(
      whole, to: directory.file("poisoned.safetensors"), replacing: name, { _ in .nan })
    let recipe = try directory.write("operations: [merge-factors]\n".utf8, as: "merge.yaml")
    let output = directory.file("merged.safetensors")
    for arguments in [["merge-fact", poisoned], ["surgery", recipe, "--base", poisoned]] {
      let outcome = try Tool.run(arguments + ["-o", output], in: directory)
      #expect(outcome.status == 65 && outcome.errors.contains(name), "\(outcome.errors)")
      #expect(!FileManager.default.fileExists(atPath: output))
    }
  }
}
