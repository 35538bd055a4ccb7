import Formats
import TestSupport
import Testing

@testable import Surgery

@Suite("Setting classes, casting, averaging")
struct ClassTests {
  private let delta: Blueprint

  init() throws {
    delta = try SurgeryFixtures.delta()
  }

  private func named() -> Blueprint {
    var delta = delta
    delta.metadata["wt.class_names"] = "liver\nspleen"
    return delta
  }

  private func row(_ blueprint: Blueprint, _ name: TensorName, _ index: Int) throws -> [UInt8] {
    let entry = try blueprint.required(name)
    let bytes = try entry.bytes()
    let width = bytes.count / entry.info.shape[0]
    return Array(bytes[index * width..<(index + 1) * width])
  }

  private let rows: [TensorName] = [
    ModelNames.maskTokens, TensorName(ModelNames.iouHead + ".2.weight"),
    TensorName(ModelNames.iouHead + ".2.bias"),
  ]

  @Test func `classes that stay keep their bytes wherever they go`() throws {
    let new = try named().applying(
      SetClasses(
        .map([
          .init(name: "new", sources: []), .init(name: "s", sources: ["spleen"]),
          .init(name: "l", sources: ["1"]),
        ]), seed: 3))
    let model = try Architecture(new)
    #expect(model.classNames == ["new", "s", "l"])
    #expect(model.decoder.maskTokens == 4)
    for (token, old) in [(0, 0), (2, 2), (3, 1)] {
      for name in rows { #expect(try row(new, name, token) == row(delta, name, old)) }
      for part in ["0.weight", "1.bias", "2.weight", "2.bias"] {
        #expect(
          try new.required(TensorName(ModelNames.hyperNetwork(token) + "." + part)).bytes()
            == delta.required(TensorName(ModelNames.hyperNetwork(old) + "." + part)).bytes())
      }
    }
    let fresh = try SurgeryFixtures.numbers(
      new, TensorName(ModelNames.hyperNetwork(1) + ".1.weight"))
    #expect(fresh.allSatisfy { abs($0) <= 1 / 32.0.squareRoot() })
    #expect(Set(fresh).count == fresh.count)
    for name in new.entries.map(\.info.name)
    where !name.text.contains("mask_tokens") && !name.text.contains("hyper")
      && !name.text.contains("iou_prediction_head")
    {
      #expect(try new.required(name).bytes() == delta.required(name).bytes())
    }
  }

  @Test func `merged classes are the mean of theirs`() throws {
    let new = try named().applying(
      SetClasses(.map([.init(name: "both", sources: ["liver", "spleen"])]), seed: 3))
    for name in rows + [TensorName(ModelNames.hyperNetwork(1) + ".2.weight")] {
      let found = try SurgeryFixtures.numbers(new, name)
      let width = name.text.contains("hyper") ? 0 : found.count / 2
      let old = try [1, 2].map { token in
        name.text.contains("hyper")
          ? try SurgeryFixtures.numbers(
            delta, TensorName(ModelNames.hyperNetwork(token) + ".2.weight"))
          : Array(
            try SurgeryFixtures.numbers(delta, name)[token * width..<(token + 1) * width])
      }
      let expected = zip(old[0], old[1]).map { Double(Float(($0 + $1) / 2)) }
      #expect(Array(found.suffix(expected.count)) == expected)
    }
  }

  @Test func `added classes come last`() throws {
    let new = try named().applying(SetClasses(.add(["kidney"]), seed: 3))
    #expect(try Architecture(new).classNames == ["liver", "spleen", "kidney"])
    #expect(try row(new, ModelNames.maskTokens, 2) == row(delta, ModelNames.maskTokens, 2))
  }

  @Test(arguments: ["kidney", "0", "3", "-1", ""]) func `a class that is not there is refused`(
    name: String
  ) throws {
    let error = #expect(throws: SurgeryError.self) {
      try named().applying(SetClasses(.map([.init(name: "a", sources: [name])]), seed: 0))
    }
    #expect(error?.code == .badOption)
  }

  @Test func `names must differ`() throws {
    let error = #expect(throws: SurgeryError.self) {
      try named().applying(SetClasses(.add(["liver"]), seed: 0))
    }
    #expect(error?.code == .badMetadata)
  }

  @Test(arguments: [("f16", DType.float16), ("bf16", .bfloat16)])
  func `casts are PyTorch's`(name: String, dtype: DType) throws {
    let file = try openCheckpoint(Fixtures.path("surgery/expected.safetensors"))
    let source = try #require(file.index(of: "cast.f32"))
    let target = try #require(file.index(of: TensorName("cast." + name)))
    let report = RoundingReport()
    let entry = Blueprint.Entry(
      info: file.tensors[source],
      origin: .stored(StoredTensor(checkpoint: file, places: [source])))
    let cast = try Blueprint(entries: [entry]).applying(Cast(dtype: dtype, report: report))
    #expect(try cast.entries[0].bytes() == file.bytes(of: target))
    #expect(report.total.count == file.tensors[source].elementCount)
    #expect(report.total.changed > 0)
    #expect(report.total.vanished == (name == "f16" ? 1 : 0))
  }

  @Test func `every half survives the way to a double and back`() throws {
    for bits in UInt16.min...UInt16.max {
      let value = HalfFloat.decode(bits)
      if !value.isNaN { #expect(HalfFloat.encode(value) == bits) }
      let brain = Double(Float(bitPattern: UInt32(bits) << 16))
      if !brain.isNaN { #expect(BrainFloat.encode(brain) == bits) }
    }
    #expect(HalfFloat.decode(HalfFloat.encode(.nan)).isNaN)
    #expect(Float(bitPattern: UInt32(BrainFloat.encode(.nan)) << 16).isNaN)
    // Just above a tie that a detour over float32 would round down to even.
    #expect(BrainFloat.encode(1 + 0x1p-8 + 0x1p-40) == 0x3F81)
    #expect(BrainFloat.encode(1 + 0x1p-8) == 0x3F80)
  }

  @Test func `a number too large for its new type is refused`() throws {
    var model = try SurgeryFixtures.base()
    model.put(
      Blueprint.Entry(
        info: try TensorInfo(name: "large", dtype: .float32, shape: [2]),
        origin: .initialised(
          Initialisation(distribution: .constant(70_000), seed: 0, stream: ""))))
    let cast = try model.applying(Cast(dtype: .float16))
    let error = #expect(throws: SurgeryError.self) { try cast.required("large").bytes() }
    #expect(error?.code == .overflow)
    #expect(try model.applying(Cast(dtype: .bfloat16)).required("large").bytes().count == 4)
  }

  @Test func `the mean of models is that of their numbers`() throws {
    let others = try [
      SurgeryFixtures.base().applying(SwapDecoder(kind: .sam, classes: 2, seed: 1)),
      SurgeryFixtures.base().applying(SwapDecoder(kind: .sam, classes: 2, seed: 2)),
    ]
    let first = try SurgeryFixtures.base().applying(SwapDecoder(kind: .sam, classes: 2, seed: 0))
    let mean = try first.applying(Average(with: others))
    let name = ModelNames.maskTokens
    let columns = try ([first] + others).map { try SurgeryFixtures.numbers($0, name) }
    let expected = columns[0].indices.map { index in
      Double(Float(columns.map { $0[index] }.reduce(0, +) / 3))
    }
    #expect(try SurgeryFixtures.numbers(mean, name) == expected)
    #expect(
      try mean.required(ModelNames.positions).bytes()
        == first.required(ModelNames.positions).bytes())
  }

  @Test func `means of different models are refused`() throws {
    let base = try SurgeryFixtures.base()
    for other in [try base.applying(Resize(imageSize: 64)), delta] {
      let error = #expect(throws: SurgeryError.self) { try base.applying(Average(with: [other])) }
      #expect(error?.code == .wrongPairing)
    }
    #expect(throws: SurgeryError.self) { try base.applying(Average(with: [])) }
  }

  @Test func `classes that are called like numbers stay where they are`() throws {
    var numbered = delta
    numbered.metadata["wt.class_names"] = "2\n1"
    for start in [numbered, delta] {
      let new = try start.applying(SetClasses(.add(["tumour"]), seed: 3))
      #expect(try Architecture(new).classes == 3)
      for token in 0...2 {
        for name in rows { #expect(try row(new, name, token) == row(delta, name, token)) }
      }
    }
  }

  @Test func `models that mean different things have no mean`() throws {
    for (key, value) in [
      ("wt.fact_scale", "2"), ("wt.class_names", "spleen\nliver"), ("wt.image_size", "64"),
      ("wt.base", String(repeating: "a", count: 64)),
    ] {
      var other = named()
      other.metadata[key] = value
      let error = #expect(throws: SurgeryError.self) {
        try named().applying(Average(with: [other]))
      }
      #expect(error?.code == .wrongPairing && error?.subject == key)
    }
  }

  @Test func `facts that are spelled differently are the same`() throws {
    var (first, second) = (named(), named())
    first.metadata["wt.fact_scale"] = "1"
    second.metadata["wt.fact_scale"] = "1.0"
    _ = try first.applying(Average(with: [second]))
  }
}
