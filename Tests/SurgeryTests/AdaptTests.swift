import Formats
import TestSupport
import Testing

@testable import Surgery

@Suite("Adapting SAM")
struct AdaptTests {
  private func adapted(
    _ kind: Architecture.FactorKind? = .tt, blocks: [Int]? = nil,
    placement: InjectAdapters.Placement = .both, start: InjectAdapters.Start = .zero,
    decoder: Architecture.DecoderKind = .progressive, seed: UInt64 = 7
  ) throws -> Blueprint {
    var blueprint = try SurgeryFixtures.base().applying(RecordBase(), Resize(imageSize: 96))
    if let kind {
      try InjectFactors(
        kind: kind, rank: 4, scale: kind == .lora ? 1 : 2, blocks: blocks, seed: seed
      )
      .apply(to: &blueprint)
    }
    return try blueprint.applying(
      InjectAdapters(channels: 6, placement: placement, start: start, seed: seed),
      SwapDecoder(kind: decoder, classes: 2, classNames: ["a", "b"], seed: seed),
      SetSlices(count: 5))
  }

  /// PyTorch calculates the places in single precision, which is where its numbers differ from ours.
  @Test(arguments: [2, 5, 6, 8, 11, 16]) func `resized positions are PyTorch's`(grid: Int) throws {
    let resized = try SurgeryFixtures.base().applying(Resize(imageSize: 16 * grid))
    for (name, recorded) in [
      (ModelNames.positions, "pos_embed"), (ModelNames.relativePositions(1, axis: "h"), "rel_pos"),
    ] {
      let found = try SurgeryFixtures.numbers(resized, name)
      let expected = try SurgeryFixtures.expected("\(recorded).\(grid)")
      try #require(found.count == expected.count)
      let largest = zip(found, expected).map { abs($0 - $1) }.max() ?? 0
      #expect(largest <= 1e-6 * (expected.map(abs).max() ?? 0))
    }
    let windowed = ModelNames.relativePositions(0, axis: "w")
    #expect(try resized.required(windowed).info.shape == [5, 16])
    #expect(
      try resized.required(windowed).bytes()
        == SurgeryFixtures.base().required(windowed).bytes())
    #expect(try Architecture(resized).encoder?.globalBlocks == [1, 3])
  }

  @Test func `a grid as large as the window keeps its global blocks by metadata`() throws {
    let small = try SurgeryFixtures.base().applying(Resize(imageSize: 48))
    let encoder = try #require(try Architecture(small).encoder)
    #expect(encoder.globalBlocks == [1, 3])
    #expect(encoder.window == 3)
    let back = try small.applying(Resize(imageSize: 128))
    #expect(try Architecture(back).encoder?.globalBlocks == [1, 3])
    var unknown = small
    unknown.metadata["wt.global_blocks"] = nil
    let error = #expect(throws: SurgeryError.self) {
      try unknown.applying(Resize(imageSize: 128))
    }
    #expect(error?.code == .badOption)
  }

  @Test(arguments: [0, 8, 100, -16]) func `a size that no grid has is refused`(size: Int) throws {
    let error = #expect(throws: SurgeryError.self) {
      try SurgeryFixtures.base().applying(Resize(imageSize: size))
    }
    #expect(error?.code == .badOption)
  }

  @Test(arguments: Architecture.FactorKind.allCases, Architecture.DecoderKind.allCases)
  func `every combination is recognised as what it is`(
    kind: Architecture.FactorKind, decoder: Architecture.DecoderKind
  ) throws {
    // Every placement meets every kind and every decoder somewhere.
    let places = InjectAdapters.Placement.allCases
    let first = Architecture.FactorKind.allCases.firstIndex(of: kind) ?? 0
    for placement in [places[first], places[3]] {
      let model = try Architecture(adapted(kind, placement: placement, decoder: decoder))
      #expect(model.family == "masam")
      #expect(model.factors?.kind == kind)
      #expect(model.factors?.rank == 4)
      #expect(model.factors?.scale == (kind == .lora ? 1 : 2))
      #expect(model.factors?.blocks == [0, 1, 2, 3])
      #expect(model.adapters?.placement == (placement == .none ? nil : placement.rawValue))
      #expect(model.decoder.kind == decoder)
      #expect(model.classes == 2)
      #expect(model.classNames == ["a", "b"])
      #expect(model.imageSize == 96)
      #expect(model.slices == 5)
      #expect(model.base?.count == 64)
    }
  }

  /// Zero V or B, and zero up-projections: the function is that of the base, whatever the rest is.
  @Test(arguments: Architecture.FactorKind.allCases)
  func `a fresh adapter changes nothing`(kind: Architecture.FactorKind) throws {
    let model = try adapted(kind)
    for entry in model.entries {
      let name = entry.info.name.text
      if name.contains("FacTv") || name.contains("lora_b") || name.contains("linear_up") {
        #expect(try SurgeryFixtures.numbers(entry).allSatisfy { $0 == 0 })
      }
    }
    let base = try SurgeryFixtures.base().applying(Resize(imageSize: 96)).contents()
    let merged = try model.applying(MergeFactors()).contents()
    for (name, bytes) in base where name.text.hasPrefix("image_encoder.") {
      #expect(merged[name] == bytes, "\(name)")
    }
  }

  @Test func `kept parts of the decoder are the base's bytes`() throws {
    let (base, model) = (try SurgeryFixtures.base().contents(), try adapted().contents())
    for (name, bytes) in base
    where name.text.contains("transformer") || name.text.contains("upscaling")
      || name.text.contains("iou_token") || name.text.hasPrefix("prompt_encoder")
    {
      #expect(model[name] == bytes, "\(name)")
    }
    #expect(
      model["mask_decoder.mask_tokens.weight"]
        != base["mask_decoder.mask_tokens.weight"]?.prefix(3 * 32 * 4).map { $0 })
  }

  /// PyTorch's defaults, by their bounds: U(±1/√fan_in) has the variance bound²/3.
  @Test func `new layers start as PyTorch's would`() throws {
    let model = try adapted(start: .masam)
    for (name, bound) in [
      ("image_encoder.FacTu.weight", 1 / 32.0.squareRoot()),
      ("image_encoder.blocks.1.attn.q_FacTs.weight", 1 / 4.0.squareRoot()),
      ("image_encoder.blocks.0.adapter_linear_up.weight", 1 / 6.0.squareRoot()),
      ("image_encoder.blocks.0.adapter_conv_2.weight", 1 / 18.0.squareRoot()),
      ("image_encoder.blocks.0.adapter_conv_2.bias", 1 / 18.0.squareRoot()),
      ("mask_decoder.output_upscaling.6.weight", 1 / 8.0.squareRoot()),
      ("mask_decoder.output_upscaling.9.bias", 1 / 4.0.squareRoot()),
      ("mask_decoder.output_hypernetworks_mlps.2.layers.0.weight", 1 / 32.0.squareRoot()),
    ] {
      let numbers = try SurgeryFixtures.numbers(model, TensorName(name))
      #expect(numbers.allSatisfy { abs($0) <= bound }, "\(name)")
      #expect(Set(numbers).count == numbers.count, "\(name)")
      guard numbers.count >= 16 else { continue }
      let variance = numbers.reduce(0) { $0 + $1 * $1 } / Double(numbers.count)
      // Four standard errors: the variance of x² is 4/45·bound⁴.
      let error = 4 * (4.0 / 45 / Double(numbers.count)).squareRoot() * bound * bound
      #expect(abs(variance - bound * bound / 3) < error, "\(name)")
    }
    let norm = try SurgeryFixtures.numbers(model, "mask_decoder.output_upscaling.7.weight")
    #expect(norm == [1, 1])
  }

  @Test func `a tensor's start depends on the seed and its own name alone`() throws {
    let (whole, part) = (try adapted().contents(), try adapted(blocks: [2]).contents())
    let sigma = FactorNames.sigma(2, .v)
    #expect(whole[sigma] == part[sigma])
    #expect(part[FactorNames.sigma(1, .v)] == nil)
    #expect(try adapted(seed: 8).contents()[sigma] != whole[sigma])
    #expect(try adapted().contents() == whole)
  }

  @Test func `some blocks only are told by the metadata`() throws {
    let model = try adapted(blocks: [1, 3])
    #expect(try Architecture(model).factors?.blocks == [1, 3])
    var silent = model
    silent.metadata["wt.fact_blocks"] = nil
    #expect(throws: SurgeryError.self) { try Architecture(silent) }
  }

  @Test func `what was adapted or merged before is refused`() throws {
    let model = try adapted()
    for operation in [
      RecordBase(), InjectFactors(kind: .tt, rank: 2, seed: 0),
      InjectAdapters(channels: 4, placement: .before, start: .zero, seed: 0),
    ] as [any Surgery.Operation] {
      let error = #expect(throws: SurgeryError.self) { try model.applying(operation) }
      #expect(error?.code == .alreadyAdapted)
    }
    let merged = try model.applying(MergeFactors())
    let error = #expect(throws: SurgeryError.self) {
      try merged.applying(RecordBase())
    }
    #expect(error?.code == .alreadyMerged)
  }

  @Test func `impossible options are refused`() throws {
    let base = try SurgeryFixtures.base()
    for operation in [
      InjectFactors(kind: .tt, rank: 0, seed: 0),
      InjectFactors(kind: .tt, rank: 2, blocks: [4], seed: 0),
      InjectFactors(kind: .tt, rank: 2, blocks: [], seed: 0),
      InjectFactors(kind: .lora, rank: 2, scale: 2, seed: 0),
      InjectFactors(kind: .tt, rank: 2, scale: .nan, seed: 0),
      InjectAdapters(channels: 0, placement: .both, start: .zero, seed: 0),
      SwapDecoder(kind: .sam, classes: 0, seed: 0),
      SwapDecoder(kind: .sam, classes: 2, classNames: ["a"], seed: 0), SetSlices(count: 0),
    ] as [any Surgery.Operation] {
      let error = #expect(throws: SurgeryError.self) { try base.applying(operation) }
      #expect(error?.code == .badOption, "\(operation)")
    }
    let large = try base.applying(InjectFactors(kind: .tt, rank: 17, seed: 0))
    #expect(large.notes.contains { $0.contains("more than half") })
  }
}
