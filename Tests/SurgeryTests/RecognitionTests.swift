import Formats
import TestSupport
import Testing

@testable import Surgery

@Suite("Recognising families")
struct RecognitionTests {
  private func recognise(_ name: String) throws -> Recognition {
    let source = try openCheckpoint(Fixtures.path("torch/" + name))
    return try Import(source, toolVersion: "test").recognition
  }

  @Test(arguments: [
    ("sam_tiny.pth", "sam", "sam", 188), ("medsam_tiny.pth", "medsam", "medsam", 188),
    ("masam_tiny.pth", "masam-delta", "masam", 183),
    ("samed_tiny.pth", "samed-delta", "samed", 143),
  ])
  func `each family is known by its names and shapes`(
    file: String, family: String, dialect: String, count: Int
  ) throws {
    let recognition = try recognise(file)
    #expect(recognition.manifest?.family == family)
    #expect(recognition.dialect?.identifier == dialect)
    #expect(recognition.report.applied.count == count)
    #expect(recognition.report.isComplete)
  }

  @Test func `sizes follow from the shapes`() throws {
    let sizes = try recognise("sam_tiny.pth").sizes.map { "\($0.name) \($0.value)" }
    for size in ["width 16", "depth 3", "heads 2", "image_size 96", "mask_tokens 4"] {
      #expect(sizes.contains(size))
    }
    #expect(try recognise("masam_tiny.pth").sizes.contains { $0.name == "rank" && $0.value == 4 })
  }

  @Test func `the published names become canonical ones`() throws {
    let masam = Set(try recognise("masam_tiny.pth").sources.map(\.name.text))
    #expect(masam.contains("image_encoder.blocks.2.attn.q_FacTs.weight"))
    #expect(masam.contains("image_encoder.blocks.0.adapter_linear_down_2.weight"))
    let samed = try recognise("samed_tiny.pth")
    let source = try openCheckpoint(Fixtures.path("torch/samed_tiny.pth"))
    let value = try #require(
      samed.sources.first { $0.name == "image_encoder.blocks.1.attn.v_lora_b.weight" })
    #expect(source.tensors[value.places[0]].name == "w_b_003")
  }

  @Test func `Hugging Face names map to Meta's, one for one`() throws {
    let manifest = try #require(try ManifestLibrary.families().first { $0.family == "sam" })
    let hf = try #require(manifest.dialects.first { $0.identifier == "hf" })
    let names = zip(manifest.tensors, hf.aliases).map { ($0.name.text, $1.map(\.text)) }
    let table = Dictionary(uniqueKeysWithValues: names)
    #expect(
      table["mask_decoder.output_hypernetworks_mlps.{t}.layers.2.bias"]
        == ["mask_decoder.output_hypernetworks_mlps.{t}.proj_out.bias"])
    #expect(
      table["image_encoder.blocks.{i}.norm1.weight"]
        == ["vision_encoder.layers.{i}.layer_norm1.weight"])
    #expect(
      table["mask_decoder.transformer.norm_final_attn.weight"]
        == ["mask_decoder.transformer.layer_norm_final_attn.weight"])
    let all = hf.aliases.joined().map(\.text)
    #expect(Set(all).count == all.count)
  }

  /// A tensor renamed, reshaped or taken away is an error, and leniency has to be asked for.
  @Test func `what differs from the family is reported`() throws {
    let source = try openCheckpoint(Fixtures.path("torch/sam_tiny.pth"))
    var tensors = source.tensors
    tensors.removeLast()
    tensors[0].name = "stray"
    tensors[1] = try TensorInfo(name: tensors[1].name, dtype: .float32, shape: [7])
    let recognition = try Recogniser().recognise(tensors)
    #expect(recognition.report.missing.count == 2)
    #expect(recognition.report.unused == ["stray"])
    #expect(recognition.report.mismatched.count == 1)
  }

  @Test func `a mixture of wrapped and bare names is refused (77)`() throws {
    let tensors = try ["module.a", "a"].map {
      try TensorInfo(name: TensorName($0), dtype: .float32, shape: [1])
    }
    let error = #expect(throws: SurgeryError.self) { try Recogniser().recognise(tensors) }
    #expect(error?.code == .nameCollision)
  }

  @Test func `an unknown family name lists the known ones`() throws {
    let source = try openCheckpoint(Fixtures.path("torch/sam_tiny.pth"))
    let error = #expect(throws: SurgeryError.self) {
      try Import(source, as: "sum", toolVersion: "test")
    }
    #expect(error?.code == .unknownFamily)
  }
}

@Suite("Name templates")
struct NameTemplateTests {
  @Test func `numbers are read back from names`() throws {
    let odd = try NameTemplate("w_a_{2*i+1:03}")
    #expect(odd.match("w_a_007") == ["i": 3])
    #expect(odd.match("w_a_006") == nil)
    #expect(odd.match("w_a_07") == nil)
    #expect(odd.name(["i": 3]) == "w_a_007")
    let plain = try NameTemplate("b.{i}.c")
    #expect(plain.match("b.10.c") == ["i": 10])
    #expect(plain.match("b.010.c") == nil)
    #expect(plain.match("b.1.c.d") == nil)
  }

  @Test(arguments: ["a.{i", "a.{}", "a.{i:3}", "a.{1}"])
  func `a malformed template is refused`(text: String) {
    #expect(throws: SurgeryError.self) { try NameTemplate(text) }
  }

  @Test func `a manifest with an unknown key is refused`() {
    #expect(throws: SurgeryError.self) {
      try ManifestReader().read("family: a\ntitle: b\ntypo: 1\n", file: "a.yaml")
    }
  }

  private func sam(_ change: (inout TensorInfo) throws -> Void) throws -> Recognition {
    let source = try openCheckpoint(Fixtures.path("torch/sam_tiny.pth"))
    var tensors = source.tensors
    for place in tensors.indices { try change(&tensors[place]) }
    return try Recogniser().recognise(tensors)
  }

  @Test func `a tensor without elements is none of a model`() throws {
    let recognition = try sam { info in
      guard info.name == "image_encoder.blocks.0.attn.rel_pos_h" else { return }
      info = try TensorInfo(name: info.name, dtype: info.dtype, shape: [0, info.shape[1]])
    }
    #expect(recognition.report.mismatched.map(\.name) == ["image_encoder.blocks.0.attn.rel_pos_h"])
  }

  @Test func `an index that no model has does not count`() throws {
    let recognition = try sam { info in
      guard info.name == "image_encoder.blocks.0.norm1.weight" else { return }
      info.name = "image_encoder.blocks.999999998.norm1.weight"
    }
    #expect(recognition.symbols["L"] == 3)
    #expect(recognition.report.unused == ["image_encoder.blocks.999999998.norm1.weight"])
    #expect(recognition.report.missing == ["image_encoder.blocks.0.norm1.weight"])
  }

  @Test func `a grid smaller than the window has its global blocks known by their lengths`() throws
  {
    var blueprint = try SurgeryFixtures.base().applying(Resize(imageSize: 32))
    let before = try #require(try Architecture(blueprint).encoder)
    try #require(before.grid < before.window ?? 0)
    blueprint.metadata["wt.global_blocks"] = nil
    let after = try #require(try Architecture(blueprint).encoder)
    #expect(after.globalBlocks == before.globalBlocks && after.window == before.window)
  }

  @Test func `a window beyond all reason is refused`() throws {
    var blueprint = try SurgeryFixtures.base()
    blueprint.metadata["wt.global_blocks"] = ""
    for place in blueprint.entries.indices {
      let info = blueprint.entries[place].info
      guard info.name.text.contains("rel_pos") else { continue }
      blueprint.entries[place].info = try TensorInfo(
        name: info.name, dtype: info.dtype, shape: [2 * 40_000 - 1, info.shape[1]])
    }
    let error = #expect(throws: SurgeryError.self) { try Architecture(blueprint) }
    #expect(error?.code == .schemaMismatch && error?.found == "40000")
  }

  @Test func `global tables that were not resized are the longer ones`() throws {
    // The grid is as large as the window, whose blocks then have a fitting length too.
    var blueprint = try SurgeryFixtures.base()
    let encoder = try #require(try Architecture(blueprint).encoder)
    let window = try #require(encoder.window)
    let place = try #require(blueprint.index(of: ModelNames.positions))
    let info = blueprint.entries[place].info
    blueprint.entries[place].info = try TensorInfo(
      name: info.name, dtype: info.dtype, shape: [1, window, window, info.shape[3]])
    blueprint.metadata["wt.global_blocks"] = nil
    let found = try #require(try Architecture(blueprint).encoder)
    #expect(found.grid == window && found.window == window)
    #expect(found.globalBlocks == encoder.globalBlocks)
  }
}
