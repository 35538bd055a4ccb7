import Formats
import TestSupport
import Testing

@testable import Surgery

@Suite("Merging and unmerging factors")
struct MergeTests {
  private let base: Blueprint
  private let delta: Blueprint

  init() throws {
    base = try SurgeryFixtures.base()
    delta = try SurgeryFixtures.delta()
  }

  /// Equal to the last bit in 99.99 % of the entries, and to one unit in the last place in all.
  private func expectEqual(_ merged: Blueprint, _ name: TensorName, _ recorded: String) throws {
    let found = try SurgeryFixtures.numbers(merged, name)
    let expected = try SurgeryFixtures.expected(recorded)
    try #require(found.count == expected.count)
    let distances = zip(found, expected).map { ulps($0, $1) }
    #expect(distances.allSatisfy { $0 <= 1 }, "\(name)")
    #expect(distances.count { $0 > 0 } * 10_000 <= distances.count, "\(name)")
  }

  @Test func `merging FacT is what the published layers add`() throws {
    let measurements = MergeMeasurements()
    let applied = try base.applying(ApplyDelta(delta: delta))
    let merged = try applied.applying(MergeFactors(measurements: measurements))
    for block in 0..<SurgeryFixtures.depth {
      try expectEqual(merged, ModelNames.projection(block), "tt.\(block)")
    }
    #expect(measurements.all.map(\.name).contains(ModelNames.projection(3)))
    let q = try #require(measurements.all.first?.updates.first)
    let before = try SurgeryFixtures.numbers(base, ModelNames.projection(0)).prefix(32 * 32)
    let after = try SurgeryFixtures.expected("tt.0").prefix(32 * 32)
    let squares = zip(before, after).map { ($0 - $1) * ($0 - $1) }
    #expect(abs(q.updateNorm - squares.reduce(0, +).squareRoot()) < 1e-12)
    let weights = before.map { $0 * $0 }.reduce(0, +).squareRoot()
    #expect(abs(q.weightNorm - weights) < 1e-12 * weights)
  }

  @Test func `k rows, biases and everything else keep their bytes`() throws {
    let applied = try base.applying(ApplyDelta(delta: delta))
    let merged = try applied.applying(MergeFactors()).contents()
    for (name, bytes) in try applied.contents() where !FactorNames.contains(name) {
      if name.text.hasSuffix("attn.qkv.weight") {
        let third = bytes.count / 3
        #expect(merged[name]?[third..<2 * third] == bytes[third..<2 * third], "\(name)")
        #expect(merged[name] != bytes)
      } else {
        #expect(merged[name] == bytes, "\(name)")
      }
    }
    #expect(!merged.keys.contains(where: FactorNames.contains))
  }

  @Test func `merging FacT-TK is what the published layers add`() throws {
    let file = try openCheckpoint(Fixtures.path("surgery/tucker.safetensors"))
    var model = base
    for (place, info) in file.tensors.enumerated() {
      model.entries.append(
        Blueprint.Entry(
          info: info, origin: .stored(StoredTensor(checkpoint: file, places: [place]))))
    }
    let merged = try model.applying(MergeFactors(scale: 0.5))
    for block in 0..<SurgeryFixtures.depth {
      try expectEqual(merged, ModelNames.projection(block), "tk.\(block)")
    }
  }

  @Test(arguments: ["samed", "samed_s"]) func `merging LoRA is what its layers add`(
    name: String
  ) throws {
    let lora = try SurgeryFixtures.blueprint(name + "/epoch_3.pth")
    let model = try base.applying(ApplyDelta(delta: lora, imageSize: 128), MergeFactors())
    for block in 0..<SurgeryFixtures.depth {
      try expectEqual(model, ModelNames.projection(block), "\(name).\(block)")
    }
    guard name == "samed_s" else { return }
    let projections = model.entries.map(\.info.name).filter {
      $0.text.contains("transformer") && $0.text.contains("q_proj.weight")
        || $0.text.contains("transformer") && $0.text.contains("v_proj.weight")
    }
    #expect(projections.count == 14)
    for projection in projections { try expectEqual(model, projection, "decoder.\(projection)") }
  }

  @Test func `FacT-TK in some blocks changes those alone`() throws {
    let file = try openCheckpoint(Fixtures.path("surgery/tucker.safetensors"))
    var model = try base.applying(
      InjectFactors(kind: .tk, rank: 4, scale: 0.5, blocks: [1, 3], seed: 0))
    for (place, info) in file.tensors.enumerated() {
      #expect(try model.required(info.name).info.shape == info.shape)
      model.put(
        Blueprint.Entry(
          info: info, origin: .stored(StoredTensor(checkpoint: file, places: [place]))))
    }
    let delta = try model.applying(ExtractDelta())
    #expect(try Architecture(delta).factors?.blocks == [1, 3])
    for merged in [
      try model.applying(MergeFactors()),
      try base.applying(ApplyDelta(delta: delta), MergeFactors()),
    ] {
      for block in 0..<SurgeryFixtures.depth {
        let name = ModelNames.projection(block)
        if block % 2 == 1 {
          try expectEqual(merged, name, "tk.\(block)")
        } else {
          #expect(try merged.required(name).bytes() == base.required(name).bytes())
        }
      }
    }
    let refusal = #expect(throws: SurgeryError.self) { try delta.applying(Express(.samed)) }
    #expect(refusal?.found?.contains("blocks [1, 3]") == true)
  }

  @Test func `LoRA of the decoder is not taken out again, and this is said`() throws {
    let lora = try SurgeryFixtures.blueprint("samed_s/epoch_3.pth")
    let merged = try base.applying(ApplyDelta(delta: lora, imageSize: 128), MergeFactors())
    let error = #expect(throws: SurgeryError.self) {
      try merged.applying(UnmergeFactors(delta: lora))
    }
    #expect(error?.code == .wrongPairing)
    #expect(error?.found == "LoRA in the decoder as well")
  }

  @Test func `the update's rank is at most that of the factors`() throws {
    let merged = try base.applying(ApplyDelta(delta: delta), MergeFactors())
    let name = ModelNames.projection(2)
    let (new, old) = (
      try SurgeryFixtures.numbers(merged, name), try SurgeryFixtures.numbers(base, name)
    )
    for projection in Projection.allCases {
      let rows = projection.rows(32)
      let difference = zip(new, old).map(-)
      let update = rows.map { Array(difference[$0 * 32..<($0 + 1) * 32]) }
      // Rounding to floats leaves a remainder of some 2⁻²⁴ of the weights in every entry.
      let pivots = pivots(update)
      #expect(pivots[3] > 1e-6)
      #expect(pivots[4] < 1e-7)
    }
  }

  /// The pivots of Gaussian elimination with full pivoting, largest first.
  private func pivots(_ matrix: [[Double]]) -> [Double] {
    var (rest, pivots) = (matrix, [Double]())
    while let place = largest(rest), rest[place.0][place.1] != 0 {
      let pivot = rest[place.0][place.1]
      pivots.append(abs(pivot))
      let row = rest.remove(at: place.0)
      rest = rest.map { other in
        let factor = other[place.1] / pivot
        return zip(other, row).map { $0 - factor * $1 }
      }
    }
    return pivots
  }

  private func largest(_ matrix: [[Double]]) -> (Int, Int)? {
    let places = matrix.indices.flatMap { row in matrix[row].indices.map { (row, $0) } }
    return places.max { abs(matrix[$0.0][$0.1]) < abs(matrix[$1.0][$1.1]) }
  }

  @Test func `unmerging gives the weights back within one rounding`() throws {
    let applied = try base.applying(ApplyDelta(delta: delta))
    let merged = try applied.applying(MergeFactors())
    let back = try merged.applying(UnmergeFactors(delta: delta))
    #expect(try Architecture(back).factors == Architecture(applied).factors)
    for entry in applied.entries {
      let name = entry.info.name
      guard name.text.hasSuffix("attn.qkv.weight") else {
        #expect(try back.required(name).bytes() == entry.bytes(), "\(name)")
        continue
      }
      let (old, new) = (
        try SurgeryFixtures.numbers(entry), try SurgeryFixtures.numbers(back, name)
      )
      let between = try SurgeryFixtures.numbers(merged, name)
      for index in old.indices {
        // Half a unit of the merged number was lost, and half a unit of the old one now.
        let limit = 0.5 * Double(Float(between[index]).ulp) + 0.5 * Double(Float(old[index]).ulp)
        #expect(abs(old[index] - new[index]) <= limit)
      }
    }
  }

  @Test(arguments: [DType.bfloat16, .float16]) func `short types are rounded once`(
    dtype: DType
  ) throws {
    let measurements = MergeMeasurements()
    let short = try base.applying(ApplyDelta(delta: delta), Cast(dtype: dtype))
    let merged = try short.applying(MergeFactors(measurements: measurements))
    let name = ModelNames.projection(1)
    let found = try merged.required(name)
    #expect(found.info.dtype == dtype)
    let source = try Matrix(short.required(name))
    let update = try short.factorSource(
      #require(try Architecture(short).factors), 1, .v, scale: 0.5
    ).update()
    let product = update.left * update.right
    let coder = try #require(FloatCoder(dtype))
    let exact = zip(source.values.dropFirst(2 * 32 * 32), product.values).map(+)
    var bytes = [UInt8](repeating: 0, count: exact.count * 2)
    exact.withUnsafeBufferPointer { exact in
      bytes.withUnsafeMutableBytes { coder.encode(exact, into: $0) }
    }
    #expect(try Array(found.bytes()[(2 * 32 * 32 * 2)...]) == bytes)
    let lost = try #require(measurements.all.first?.updates.first?.lostShare)
    #expect(lost > 0 && lost < 1)
  }

  @Test func `factors that were not merged are not taken out`() throws {
    let merged = try base.applying(ApplyDelta(delta: delta), MergeFactors())
    var other = delta
    let place = try #require(other.index(of: FactorNames.v))
    other.entries[place].origin = .initialised(.zero)
    var elsewhere = delta
    elsewhere.metadata["wt.base"] = String(repeating: "f", count: 64)
    var marked = merged
    marked.metadata["wt.base"] = String(repeating: "a", count: 64)
    // As files of earlier versions, which do not say what was merged.
    marked.metadata["wt.merged_factors"] = nil
    for (model, factors) in [(merged, other), (marked, elsewhere)] {
      let error = #expect(throws: SurgeryError.self) {
        try model.applying(UnmergeFactors(delta: factors))
      }
      #expect(error?.code == .wrongPairing && error?.remedy?.contains("merged") == true)
    }
    #expect(try merged.applying(UnmergeFactors(delta: delta)).metadata["wt.merged_factors"] == nil)
  }

  @Test func `the delta that was merged is taken out whatever its base is called`() throws {
    var elsewhere = delta
    elsewhere.metadata["wt.base"] = String(repeating: "f", count: 64)
    let merged = try base.applying(
      ApplyDelta(delta: elsewhere, allowsDifferentBase: true), MergeFactors())
    #expect(try merged.applying(UnmergeFactors(delta: elsewhere)).metadata["wt.merged"] == nil)
  }

  @Test func `of a mean of merged models nothing is taken out`() throws {
    let merged = try base.applying(ApplyDelta(delta: delta), MergeFactors())
    var other = merged
    other.metadata["wt.merged_factors"] = String(repeating: "b", count: 64)
    let mean = try merged.applying(Average(with: [other]))
    #expect(throws: SurgeryError.self) { try mean.applying(UnmergeFactors(delta: delta)) }
    let same = try merged.applying(Average(with: [merged]))
    #expect(try same.applying(UnmergeFactors(delta: delta)).metadata["wt.merged"] == nil)
  }
}
