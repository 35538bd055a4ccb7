import Formats
import Testing

@testable import Networks
@testable import Numerics
@testable import Surgery

/// Blocks that keep much and blocks that keep little.
struct BlockMemoryTests {
  @Test(
    arguments: ["masam-tt", "masam-tk", "masam-some-blocks"],
    [BlockMemory.Share.more, .hidden])
  func `a block that keeps its input alone has the same gradients`(
    _ name: String, _ share: BlockMemory.Share
  ) throws {
    for index in 0..<2 { try expectSame(name, index, share) }
  }

  /// Rounding to eight bits leaves 1/256 of each number; sums over a block's layers carry on several of it.
  @Test(arguments: ["masam-tt", "masam-lora"], [BlockMemory.Share.input, .hidden])
  func `gradients in bfloat16 are those in single precision but for rounding`(
    _ name: String, _ share: BlockMemory.Share
  ) throws {
    let single = try gradients(name, 0, keeps: share)
    let rounded = try gradients(name, 0, keeps: share, .brainFloat16)
    #expect(single.map(\.name) == rounded.map(\.name))
    let isRounded = zip(single, rounded).contains { $0.0.values != $0.1.values }
    #expect(isRounded)
    for (expected, found) in zip(single, rounded) {
      expectClose(found.values, expected.values, 3e-2, named: found.name)
    }
  }

  private func expectSame(_ name: String, _ index: Int, _ share: BlockMemory.Share) throws {
    let much = try gradients(name, index, keeps: share)
    let little = try gradients(name, index, keeps: .input)
    #expect(much.count > 10 && Set(much.map(\.name)) == Set(little.map(\.name)))
    let byName = Dictionary(uniqueKeysWithValues: little.map { ($0.name, $0.values) })
    for (name, values) in much {
      try expectClose(values, #require(byName[name]), 2e-5, named: name)
      let isMoved = values.contains { $0 != 0 }
      #expect(isMoved, "\(name)")
    }
  }

  /// Of the output, the input and every parameter of one block, all of them trained.
  private func gradients(
    _ name: String, _ index: Int, keeps: BlockMemory.Share, _ precision: Precision = .float32
  ) throws -> [(name: String, values: [Float])] {
    let plan = try GoldenModel(name: name).plan()
    let architecture = try Architecture(plan)
    let encoder = try #require(architecture.encoder)
    let loader = ParameterLoader(PlannedCheckpoint(plan, path: name), trains: { _ in true })
    let parameters = loader["image_encoder"]
    let factors = try SharedFactors(parameters, architecture)
    let own = parameters["blocks"][index]
    let isGlobal = encoder.globalBlocks?.contains(index) ?? true
    let block = try EncoderBlock(
      own, encoder, window: isGlobal ? nil : encoder.window,
      factors: factors?.block(index, own["attn"]), adapters: architecture.adapters,
      precision: precision)
    let shape = [3, encoder.grid, encoder.grid, encoder.width]
    let numbers = (0..<shape.reduce(1, *)).map { Float(($0 * 37) % 101) / 50 - 1 }
    let input = Tensor(numbers, shape: shape)
    let (gradient, tape) = (Gradient(shape), Tape())
    let output = block(
      Variable(input, gradient: gradient, tape: tape), slices: 3, keeps: keeps)
    try #require(output.gradient).accumulate(Tensor(numbers.reversed(), shape: shape))
    tape.runBackward()
    let parts = loader.trained.compactMap { item in
      item.variable.gradient?.value.map { (item.name.text, $0.values) }
    }
    return [("output", output.value.values), ("input", gradient.value?.values ?? [])] + parts
  }
}
