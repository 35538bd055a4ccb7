import Formats
import Foundation
import TestSupport
import Testing

@testable import Surgery

@Suite("Other programs' forms")
struct DialectTests {
  private let base: Blueprint

  init() throws { base = try SurgeryFixtures.base() }

  /// Every tensor of a recorded file, as a plan has to give it back.
  private func contents(_ name: String) throws -> [TensorName: [UInt8]] {
    let file = try openCheckpoint(Fixtures.path("surgery/\(name)"))
    return try Dictionary(
      uniqueKeysWithValues: file.tensors.indices.map {
        (file.tensors[$0].name, try file.bytes(of: $0))
      }
    )
  }

  @Test func `MA-SAM's adapter comes back as it was, names and bytes`() throws {
    let recorded = try contents("masam/epoch_3.pth")
    let applied = try base.applying(ApplyDelta(delta: SurgeryFixtures.delta()))
    let exported = try applied.applying(Express(.masam))
    #expect(try exported.contents() == recorded)
    #expect(exported.notes.contains { $0.contains("scale 0.5") })
    #expect(try SurgeryFixtures.delta().applying(Express(.masam)).contents() == recorded)
  }

  @Test func `SAMed's files come back as they were, names and bytes`() throws {
    for name in ["samed/epoch_3.pth", "samed_s/epoch_3.pth"] {
      let delta = try SurgeryFixtures.blueprint(name)
      let applied = try base.applying(ApplyDelta(delta: delta, imageSize: 96))
      #expect(try Architecture(applied).decoder.hasFactors == name.contains("samed_s"))
      #expect(try applied.applying(Express(.samed)).contents() == contents(name))
    }
  }

  @Test func `Meta's names survive the way to Hugging Face and back`() throws {
    let hf = try base.applying(Express(.hf))
    #expect(hf.entries.count == base.entries.count + 1)
    #expect(hf["shared_image_embedding.positional_embedding"] != nil)
    #expect(hf["vision_encoder.layers.3.attn.rel_pos_h"] != nil)
    let back = try Blueprint(
      importing: PlannedCheckpoint(hf, path: "hf"), toolVersion: "test")
    #expect(try back.contents() == base.contents())
  }

  @Test func `MA-SAM's wrapped modules are known and can be made`() throws {
    let model = try base.applying(ApplyDelta(delta: SurgeryFixtures.delta()))
    let wrapped = try model.applying(Rename(family: "masam", dialect: "masam-modules"))
    #expect(
      wrapped["image_encoder.ImageEncoderViT.blocks.2.Block.attn.Attention.qkv.qkv.weight"] != nil)
    #expect(wrapped["image_encoder.ImageEncoderViT.neck.0.weight"] != nil)
    for prefix in ["", "sam.", "module.sam."] {
      var held = wrapped
      for place in held.entries.indices {
        let name = held.entries[place].info.name.text
        held.entries[place].info.name = TensorName(prefix + name)
      }
      let back = try Blueprint(
        importing: PlannedCheckpoint(held, path: "wrapped"), toolVersion: "test")
      #expect(try back.contents() == model.contents())
    }
  }

  @Test(arguments: [Express.Form.sam, .medsam]) func `a merged SAMed is a plain SAM`(
    form: Express.Form
  ) throws {
    let delta = try SurgeryFixtures.blueprint("samed/epoch_3.pth")
    let applied = try base.applying(ApplyDelta(delta: delta, imageSize: 128))
    let refusal = #expect(throws: SurgeryError.self) { try applied.applying(Express(form)) }
    #expect(refusal?.code == .notExpressible)
    let merged = try applied.applying(MergeFactors(), Express(form))
    #expect(Set(merged.entries.map(\.info.name)).isSubset(of: base.entries.map(\.info.name)))
  }

  @Test(arguments: [Architecture.FactorKind.tt, .tk], [DType.float64, .float32, .bfloat16])
  func `FacT as LoRA merges to the same to one unit in the last place`(
    kind: Architecture.FactorKind, dtype: DType
  ) throws {
    var model = try trained(kind)
    for entry in try model.applying(Cast(dtype: dtype)).entries
    where FactorNames.contains(entry.info.name) { model.put(entry) }
    let lora = try model.applying(FactorsToLoRA())
    let (old, new) = (try Architecture(model).factors, try Architecture(lora).factors)
    #expect(new?.kind == .lora)
    #expect(new?.rank == (old?.rank).map { dtype == .float64 ? $0 : 2 * $0 })
    #expect(lora.notes.contains { $0.contains("rank") } == (dtype != .float64))
    for (direct, indirect, _) in try merged(model, lora) { #expect(ulps(direct, indirect) <= 1) }
  }

  @Test(arguments: [Architecture.FactorKind.tt, .tk])
  func `LoRA of FacT's own rank loses what rounding A loses`(
    kind: Architecture.FactorKind
  ) throws {
    let model = try trained(kind)
    let lora = try model.applying(FactorsToLoRA(keepsRank: true))
    #expect(try Architecture(lora).factors?.rank == Architecture(model).factors?.rank)
    for (direct, indirect, magnitude) in try merged(model, lora) {
      // A is rounded by 2⁻²⁴ of itself at most, then each result by half a unit in its last place.
      let last = max(Double(Float(direct).ulp), Double(Float(indirect).ulp))
      #expect(abs(direct - indirect) <= 0x1p-24 * magnitude + last)
      if magnitude <= abs(direct) { #expect(ulps(direct, indirect) <= 1) }
    }
  }

  /// Every q and v weight after merging either, and |B|·|A| of the second there.
  private func merged(
    _ model: Blueprint, _ lora: Blueprint
  ) throws -> [(direct: Double, indirect: Double, magnitude: Double)] {
    let (direct, indirect) = (
      try model.applying(MergeFactors()), try lora.applying(MergeFactors())
    )
    return try (0..<SurgeryFixtures.depth).flatMap { block in
      let name = ModelNames.projection(block)
      let (left, right) = (
        try SurgeryFixtures.numbers(direct, name), try SurgeryFixtures.numbers(indirect, name)
      )
      return try Projection.allCases.flatMap { projection in
        let (b, a) = (
          try Matrix(lora.required(FactorNames.lora(block, projection, "b"))),
          try Matrix(lora.required(FactorNames.lora(block, projection, "a")))
        )
        let start = projection.rows(b.rows).lowerBound * a.columns
        return (0..<b.rows * a.columns).map { place in
          let (row, column) = (place / a.columns, place % a.columns)
          let magnitude = (0..<b.columns).reduce(0) { $0 + abs(b[row, $1] * a[$1, column]) }
          return (left[start + place], right[start + place], magnitude)
        }
      }
    }
  }

  /// A model of either kind whose factors are all non-zero.
  private func trained(_ kind: Architecture.FactorKind) throws -> Blueprint {
    guard kind == .tk else { return try base.applying(ApplyDelta(delta: SurgeryFixtures.delta())) }
    let file = try openCheckpoint(Fixtures.path("surgery/tucker.safetensors"))
    var model = base
    model.entries += file.tensors.indices.map { place in
      Blueprint.Entry(
        info: file.tensors[place],
        origin: .stored(StoredTensor(checkpoint: file, places: [place])))
    }
    model.metadata["wt.fact_scale"] = "0.5"
    return model
  }

  @Test func `SAMed's form holds FacT as LoRA`() throws {
    let model = try base.applying(InjectFactors(kind: .tt, rank: 3, seed: 1))
    let names = Set(try model.applying(Express(.samed)).entries.map(\.info.name))
    #expect(names.contains("w_a_000") && names.contains("w_b_007"))
    #expect(!names.contains("w_a_008"))
  }

  @Test func `what a form cannot hold is refused`() throws {
    let masam = try base.applying(ApplyDelta(delta: SurgeryFixtures.delta()))
    let partial = try base.applying(
      InjectFactors(kind: .tt, rank: 2, blocks: [0, 2], seed: 0),
      InjectAdapters(channels: 4, placement: .both, start: .zero, seed: 0),
      SwapDecoder(kind: .progressive, classes: 2, seed: 0))
    let before = try base.applying(
      InjectFactors(kind: .tt, rank: 2, seed: 0),
      InjectAdapters(channels: 4, placement: .before, start: .zero, seed: 0),
      SwapDecoder(kind: .progressive, classes: 2, seed: 0))
    for (model, form, found) in [
      (partial, Express.Form.masam, "factors in blocks [0, 2]"), (masam, .sam, "tt factors"),
      (masam, .hf, "tt factors"), (masam, .samed, "progressive"), (base, .masam, "none"),
      (before, .masam, "before attention only"),
    ] {
      let error = #expect(throws: SurgeryError.self) { try model.applying(Express(form)) }
      #expect(error?.code == .notExpressible)
      #expect(error?.found?.contains(found) == true, "\(error?.found ?? "")")
    }
    let merged = #expect(throws: SurgeryError.self) {
      try masam.applying(MergeFactors(), Express(.masam))
    }
    #expect(merged?.code == .alreadyMerged)
  }
}
