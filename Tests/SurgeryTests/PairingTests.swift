import Formats
import TestSupport
import Testing

@testable import Surgery

@Suite("What does not belong together")
struct PairingTests {
  private let base: Blueprint
  private let delta: Blueprint

  init() throws {
    base = try SurgeryFixtures.base()
    delta = try SurgeryFixtures.delta()
  }

  private func refusal(_ base: Blueprint, _ delta: Blueprint) -> SurgeryError? {
    #expect(throws: SurgeryError.self) { try base.applying(ApplyDelta(delta: delta)) }
  }

  @Test func `an adapter of another width names both`() throws {
    let other = try Blueprint(
      importing: openCheckpoint(Fixtures.path("torch/masam_tiny.pth")), toolVersion: "test")
    let error = refusal(base, other)
    #expect(error?.code == .wrongPairing)
    #expect(error?.subject == "width")
    #expect(error?.expected?.contains("32, as 'image_encoder.blocks.0.norm1.weight'") == true)
    #expect(error?.found?.contains("16, as 'image_encoder.FacTu.weight'") == true)
  }

  @Test func `an adapter of another depth names both`() throws {
    var shallow = base
    shallow.remove(prefix: "image_encoder.blocks.3.")
    let error = refusal(shallow, delta)
    #expect(error?.code == .wrongPairing)
    #expect(error?.subject == "depth")
    #expect(error?.expected?.contains("3, as") == true)
    #expect(error?.found?.contains("4, as") == true)
    let lora = try SurgeryFixtures.blueprint("samed/epoch_3.pth")
    #expect(refusal(shallow, lora)?.subject == "depth")
  }

  @Test func `half a decoder is refused with what is missing`() throws {
    var half = delta
    half.remove(prefix: "mask_decoder.output_upscaling.9.")
    let error = refusal(base, half)
    #expect(error?.code == .schemaMismatch)
    #expect(error?.found?.contains("mask_decoder.output_upscaling.9.weight") == true)
    half.remove(prefix: "mask_decoder.transformer.")
    #expect(refusal(base, half)?.code == .schemaMismatch)
  }

  @Test func `a factor of one block that is missing is refused`() throws {
    var torn = delta
    torn.entries.removeAll { $0.info.name == FactorNames.sigma(2, .v) }
    #expect(refusal(base, torn)?.code == .schemaMismatch)
    torn.entries.removeAll { $0.info.name == FactorNames.sigma(2, .q) }
    let error = refusal(base, torn)
    #expect(error?.code == .badMetadata)
    #expect(error?.found == "none in blocks [2]")
  }

  @Test func `a base that was adapted or merged before is refused`() throws {
    let applied = try base.applying(ApplyDelta(delta: delta))
    #expect(refusal(applied, delta)?.code == .alreadyAdapted)
    #expect(try refusal(applied.applying(MergeFactors()), delta)?.code == .alreadyMerged)
    let error = #expect(throws: SurgeryError.self) {
      try applied.applying(MergeFactors(), MergeFactors())
    }
    #expect(error?.code == .alreadyMerged)
    #expect(refusal(base, base)?.code == .wrongPairing)
    let alone = #expect(throws: SurgeryError.self) { try delta.applying(MergeFactors()) }
    #expect(alone?.code == .wrongPairing)
    #expect(alone?.remedy?.contains("--base") == true)
    #expect(throws: SurgeryError.self) { try base.applying(MergeFactors()) }
  }

  @Test func `another base than the recorded one is refused unless allowed`() throws {
    let directory = try TemporaryDirectory()
    let write = { (plan: Blueprint, name: String) in
      _ = try plan.write(to: directory.file(name), overwrite: false)
      return try Blueprint(
        importing: openCheckpoint(directory.file(name)), toolVersion: "test")
    }
    let own = try write(
      base.applying(ApplyDelta(delta: delta), ExtractDelta()), "own.safetensors")
    #expect(
      own.metadata["wt.base"]
        == (try CheckpointHash(PlannedCheckpoint(base, path: ""))).content)
    _ = try write(base.applying(ApplyDelta(delta: own)), "same.safetensors")
    let before = try directory.entries()
    var other = base
    other.put(
      try Initialiser(seed: 3).norm("image_encoder.blocks.1.norm1", width: SurgeryFixtures.width))
    let error = #expect(throws: SurgeryError.self) {
      try write(other.applying(ApplyDelta(delta: own), MergeFactors()), "other.safetensors")
    }
    #expect(error?.code == .wrongBase)
    #expect(try directory.entries() == before)
    _ = try write(
      other.applying(ApplyDelta(delta: own, allowsDifferentBase: true)), "other.safetensors")
  }

  @Test func `a base is the same in every container and dialect`() throws {
    let directory = try TemporaryDirectory()
    let hf = directory.file("hf.safetensors")
    _ = try base.applying(Express(.hf)).write(to: hf, overwrite: false)
    let again = try Blueprint(importing: openCheckpoint(hf), toolVersion: "test")
    let hashes = try [again, base].map {
      try $0.applying(RecordBase()).finalMetadata()["wt.base"]
    }
    #expect(hashes[0] == hashes[1])
    #expect(hashes[0] != BaseDigest.placeholder)
  }

  @Test(arguments: [
    OutputFormat(), OutputFormat(shardBytes: 200_000), OutputFormat(.torch), OutputFormat(.hdf5),
  ])
  func `the base's hash is in every form of output`(format: OutputFormat) throws {
    let directory = try TemporaryDirectory()
    let plan = try base.applying(ApplyDelta(delta: delta))
    let written = try plan.write(
      to: directory.file("out.safetensors"), format: format, overwrite: false)
    let copy = try openCheckpoint(written.path)
    if format.container == .safeTensors {
      #expect(try copy.metadata["wt.base"] == plan.finalMetadata()["wt.base"])
    }
    #expect(try CheckpointHash(copy) == CheckpointHash(PlannedCheckpoint(plan, path: "")))
  }

  @Test func `NaN in a factor stops the merge and nothing is written`() throws {
    for (name, place) in [(FactorNames.v, 5), (FactorNames.sigma(1, .q), 0)] {
      let broken = try poisoned(name, at: place)
      let directory = try TemporaryDirectory()
      let merged = try base.applying(ApplyDelta(delta: broken), MergeFactors())
      let error = #expect(throws: SurgeryError.self) {
        try merged.write(to: directory.file("out.safetensors"), overwrite: false)
      }
      #expect(error?.code == .notFinite)
      #expect(error?.subject == name.text)
      #expect(error?.found == "nan at element \(place)")
      #expect(try directory.entries().isEmpty)
    }
  }

  /// The delta with one NaN.
  private func poisoned(_ name: TensorName, at place: Int) throws -> Blueprint {
    let old = try delta.required(name)
    let computation = Computation("poisoned", of: [old]) { info in
      let values = try Matrix(old).values
      return NumberReader(info) { range, numbers in
        for index in range { numbers[index - range.lowerBound] = values[index] }
        if range.contains(place) { numbers[place - range.lowerBound] = .nan }
      }
    }
    var blueprint = delta
    blueprint.put(Blueprint.Entry(info: old.info, origin: .computed(computation)))
    return blueprint
  }

  @Test func `a wrong product does not pass the probe`() throws {
    let model = try base.applying(ApplyDelta(delta: delta))
    let factors = try #require(try Architecture(model).factors)
    let source = try model.factorSource(factors, 1, .q, scale: 0.5)
    let (probe, update) = (try source.probe(32), try source.update())
    var row = (update.left * update.right).values.prefix(32).map { $0 }
    try row.withUnsafeMutableBufferPointer {
      try probe.check($0, of: update.left, rows: 0..<1, of: "w")
    }
    row[7] += 1e-9
    let error = #expect(throws: SurgeryError.self) {
      try row.withUnsafeMutableBufferPointer {
        try probe.check($0, of: update.left, rows: 0..<1, of: "w")
      }
    }
    #expect(error?.code == .selfCheckFailed)
  }
}

@Suite("Pruned encoders")
struct PrunedTests {
  /// SlimSAM narrows attention and MLP but not the width.
  @Test func `narrow attention is adapted and merged`() throws {
    var model = try SurgeryFixtures.base()
    let initialiser = Initialiser(seed: 1)
    for block in 0..<4 {
      let name = ModelNames.block(block)
      for (part, shape) in [
        ("attn.qkv.weight", [48, 32]), ("attn.qkv.bias", [48]), ("attn.proj.weight", [32, 16]),
        ("mlp.lin1.weight", [20, 32]), ("mlp.lin1.bias", [20]), ("mlp.lin2.weight", [32, 20]),
      ] {
        model.put(try initialiser.uniform(TensorName("\(name).\(part)"), shape, fanIn: 32))
      }
      for axis in ["h", "w"] {
        let rows = block % 2 == 1 ? 15 : 5
        model.put(
          try initialiser.uniform(
            ModelNames.relativePositions(block, axis: axis), [rows, 8], fanIn: 8))
      }
    }
    let encoder = try #require(try Architecture(model).encoder)
    #expect(encoder.heads == 2 && encoder.attentionWidth == 16 && encoder.mlpWidth == 20)
    for kind in Architecture.FactorKind.allCases {
      let adapted = try model.applying(InjectFactors(kind: kind, rank: 2, seed: 0))
      let merged = try adapted.applying(MergeFactors())
      #expect(try merged.contents() == model.contents())
      if kind != .lora {
        #expect(try adapted.required(FactorNames.v).info.shape == [16, 2])
      }
    }
  }
}
