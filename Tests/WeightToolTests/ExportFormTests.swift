import Formats
import Foundation
import TestSupport
import Testing

@Suite("Exporting to other programs")
struct ExportFormTests {
  private let directory: TemporaryDirectory
  private let base = Fixtures.path("surgery/base.pth")
  private let masam = Fixtures.path("surgery/masam/epoch_3.pth")

  init() throws { directory = try TemporaryDirectory() }

  private func wt(_ arguments: String...) throws -> Tool.Outcome {
    try Tool.run(arguments, in: directory)
  }

  /// Names, types, shapes and bytes, in the order of the names.
  private func tensors(_ path: String) throws -> [TensorName: [String]] {
    let file = try openCheckpoint(path)
    let digests = try file.tensorDigests()
    return Dictionary(
      uniqueKeysWithValues: zip(file.tensors, digests).map {
        ($0.name, [$0.dtype.rawValue, "\($0.shape)", $1])
      })
  }

  @Test(arguments: ["masam/epoch_3.pth", "samed/epoch_3.pth", "samed_s/epoch_3.pth"])
  func `a published adapter comes back from a model with its own names`(name: String) throws {
    let delta = Fixtures.path("surgery/" + name)
    let form = name.hasPrefix("masam") ? "masam" : "samed"
    let imported = directory.file("imported.safetensors")
    #expect(try wt("import", delta, "-o", imported).status == 0)
    let model = directory.file("model.safetensors")
    #expect(
      try wt("apply", imported, "--base", base, "-o", model, "--image-size", "96").status == 0)
    for (source, target) in [(model, "1.pth"), (delta, "2.pth"), (imported, "3.pth.zst")] {
      let output = directory.file(target)
      let run = try wt("export", source, "-o", output, "--to", form, "--json")
      #expect(run.status == 0, "\(run.errors)")
      #expect(run.output.contains("\"form\": \"\(form)\""), "\(run.output)")
      #expect(try tensors(output) == tensors(delta))
      #expect(try openCheckpoint(output).container == .torchZip)
    }
    #expect(try openCheckpoint(directory.file("3.pth.zst")).compression == .zstd)
  }

  @Test func `Meta's names go to Hugging Face and come back`() throws {
    let (hf, back) = (directory.file("hf.safetensors"), directory.file("sam.pth"))
    #expect(try wt("export", base, "-o", hf, "--to", "hf").status == 0)
    let names = try openCheckpoint(hf).tensors.map(\.name)
    #expect(names.contains("vision_encoder.layers.3.attn.rel_pos_h"))
    #expect(try openCheckpoint(hf).metadata["format"] == "pt")
    #expect(try wt("export", hf, "-o", back, "--to", "sam").status == 0)
    #expect(try tensors(back) == tensors(base))
    #expect(try openCheckpoint(back).tensors.map(\.name) != names)
  }

  @Test func `FacT is written as LoRA that merges to the same weights`() throws {
    let files = (1...4).map { directory.file("\($0).pth") }
    #expect(
      try wt(
        "adapt", base, "-o", files[0], "--classes", "2", "--rank", "4", "--scale", "0.3",
        "--adapter-placement", "none", "--decoder", "sam", "--image-size", "128"
      ).status == 0)
    let trained = try wt(
      "export", try altered(files[0], "trained.pth", filling: "image_encoder.FacTv.weight"),
      "-o", files[1], "--to", "samed")
    #expect(trained.status == 0, "\(trained.errors)")
    #expect(trained.errors.contains("rank 8, twice that of the factors"))
    #expect(try openCheckpoint(files[1]).tensors.contains { $0.name == "w_b_007" })
    #expect(try wt("merge", directory.file("trained.pth"), "-o", files[2]).status == 0)
    #expect(
      try wt("merge", files[1], "--base", base, "--image-size", "128", "-o", files[3]).status == 0)
    let (one, two) = (try openCheckpoint(files[2]), try openCheckpoint(files[3]))
    var changed = 0
    for (place, tensor) in one.tensors.enumerated() {
      let other = try #require(two.index(of: tensor.name))
      let pair = try (floats(one, place), floats(two, other))
      #expect(zip(pair.0, pair.1).allSatisfy { abs($0 - $1) <= max($0.ulp, $1.ulp) })
      changed += zip(pair.0, pair.1).count { $0 != $1 }
    }
    #expect(changed * 1000 <= one.tensors.reduce(0) { $0 + $1.elementCount })
    let same = try wt(
      "export", directory.file("trained.pth"), "-o", directory.file("same.pth"), "--to", "samed",
      "--keep-rank", "--scale", "1")
    #expect(same.status == 0 && !same.errors.contains("twice"))
  }

  private func floats(_ file: any Checkpoint, _ place: Int) throws -> [Float] {
    try file.bytes(of: place).withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
  }

  @Test func `what a form cannot hold exits with 65 and writes nothing`() throws {
    let partial = directory.file("partial.safetensors")
    #expect(
      try wt(
        "adapt", base, "-o", partial, "--classes", "2", "--rank", "2", "--fact-blocks", "0,2"
      ).status == 0)
    let tucker = directory.file("tucker.safetensors")
    #expect(
      try wt(
        "adapt", base, "-o", tucker, "--classes", "2", "--rank", "2", "--fact-kind", "tk"
      ).status == 0)
    let merged = directory.file("merged.safetensors")
    #expect(try wt("merge", masam, "--base", base, "-o", merged).status == 0)
    let unknown = Fixtures.path("torch/dtypes.pth")
    let before = try directory.entries()
    for (model, form, words) in [
      (partial, "masam", ["partial.safetensors", "all 4 blocks", "blocks [0, 2]"]),
      (partial, "samed", ["all 4 blocks"]), (tucker, "masam", ["kind tt", "tk"]),
      (merged, "masam", ["merged before"]), (merged, "sam", ["progressive decoder", "adapters"]),
      (merged, "hf", ["progressive decoder"]), (masam, "samed", ["sam decoder", "progressive"]),
      (masam, "sam", ["no image encoder", "--base"]), (base, "masam", ["none"]),
      (base, "samed", ["none"]), (unknown, "hf", ["dtypes.pth"]),
    ] as [(String, String, [String])] {
      let run = try wt("export", model, "-o", directory.file("out"), "--to", form)
      #expect(run.status == 65, "\(model) \(form) \(run.errors)")
      for word in words { #expect(run.errors.contains(word), "\(run.errors)") }
      #expect(run.output.isEmpty)
    }
    #expect(try directory.entries() == before)
  }

  @Test func `options of one form are refused with others`() throws {
    for options in [["--to", "masam", "--scale", "1"], ["--to", "hf", "--keep-rank"]] {
      let run = try Tool.run(["export", base, "-o", "x"] + options, in: directory)
      #expect(run.status == 64)
    }
  }

  /// A copy of a checkpoint with one tensor's numbers replaced by others that are not zero.
  private func altered(_ path: String, _ name: String, filling tensor: String) throws -> String {
    try Altered.write(path, to: directory.file(name), replacing: tensor) { place in
      Float(place % 7) * 0.03 - 0.1
    }
  }
}
