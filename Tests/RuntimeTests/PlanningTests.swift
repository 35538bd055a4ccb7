import Formats
import Support
import Testing

@testable import Benchmarking
@testable import Networks
@testable import Numerics
@testable import Planning
@testable import Surgery

/// What a plan says, against published figures and other ways of counting.
struct PlanningTests {
  /// Counted by hand from the published layouts, for one stack of five slices at 512 × 512.
  @Test(arguments: [(SAMForm.vitB, 1.22e12), (.vitH, 7.7e12)])
  func `the work of the published models is what it is known to be`(
    _ model: SAMForm, expected: Double
  ) throws {
    let workload = try Workload(model.masam(), slices: 5, precision: .float32)
    #expect(abs(Double(workload.forwardOperations) / expected - 1) < 0.015)
    let share = Double(workload.trainingOperations) / Double(workload.forwardOperations)
    #expect((2.2...3.4).contains(share))
  }

  @Test func `each stage of ViT-B is its own formula`() throws {
    let workload = try Workload(SAMForm.vitB.masam(), slices: 5, precision: .float32)
    let rows = 5 * 32 * 32
    #expect(workload.forward[.patchEmbedding] == 2 * rows * 768 * (3 * 16 * 16))
    #expect(workload.forward[.projections] == 12 * 2 * rows * 768 * 4 * 768)
    #expect(workload.forward[.mlp] == 12 * 2 * rows * 768 * 2 * 3072)
    // Down, up, and three taps of which the outer slices lack one.
    #expect(
      workload.forward[.adapters]
        == 24 * (2 * rows * 768 * 384 * 2 + 2 * 13 * 1024 * 384 * 384))
    #expect(workload.forward[.globalAttention] == 4 * 2 * rows * 768 * (2 * 1024 + 2 * 32))
    #expect(workload.forward[.windowedAttention] == 8 * 2 * rows * 768 * (2 * 196 + 2 * 14))
    #expect(workload.forward[.neck] == 2 * rows * 256 * (768 + 9 * 256))
    #expect(workload.forward[.factors] == nil)
    #expect(workload.training[.factors] == 4 * 24 * 2 * rows * (2 * 32 * 768 + 32 * 32))
  }

  @Test func `the decoder of SAM is counted weight by weight`() throws {
    let workload = try Workload(SAMForm.vitB.blueprint(), slices: 1, precision: .float32)
    let (pixels, tokens, c) = (64 * 64, 5, 256)
    let (image, token) = (2 * pixels * c * c, 2 * tokens * c * c)
    // Five cross attentions, half as wide: four projections, of which two take the image.
    let cross = 5 * (image + token + 4 * tokens * pixels * 128)
    let own = 2 * (4 * token + 4 * tokens * tokens * c + 2 * tokens * 2 * c * 2048)
    let up = 2 * pixels * (256 * 64 * 4) + 2 * 4 * pixels * (64 * 32 * 4)
    let heads = 4 * 2 * (2 * c * c + c * 32) + 2 * (2 * c * c + c * 4)
    let masks = 2 * 4 * 32 * 16 * pixels
    #expect(workload.forward[.decoder] == cross + own + up + heads + masks)
  }

  @Test(arguments: GoldenModel.stacks)
  func `models of every form can be planned, and more slices are more work`(
    _ golden: GoldenModel
  ) throws {
    let plan = try golden.plan()
    let (one, four) = (
      try Workload(plan, slices: 1, precision: .float32),
      try Workload(plan, slices: 4, precision: .float32)
    )
    for (stage, count) in one.forward where stage != .adapters {
      #expect(four.forward[stage] == 4 * count, "\(stage)")
    }
    let memory = try MemoryEstimate(plan, slices: 1, trains: false, precision: .float32)
    let counts = plan.parameterCounts(try Architecture(plan))
    #expect(memory.weights == 4 * (counts.trainable + counts.frozen) && memory.training == 0)
    let training = try MemoryEstimate(plan, slices: 1, trains: true, precision: .float32)
    // SAM's decoder alone is trained, and the encoder keeps nothing for it.
    let keeps = training.training - 12 * counts.trainable
    #expect(try Architecture(plan).family == "sam" ? keeps == 0 : keeps > 0)
    #expect((4 * counts.trainable..<memory.weights).contains(training.weights))
    let rounded = try MemoryEstimate(plan, slices: 1, trains: true, precision: .brainFloat16)
    #expect((4 * counts.trainable..<memory.weights).contains(rounded.weights))
  }

  @Test func `nothing is differentiated below the first block with anything to train`() throws {
    let plain = try SAMForm.vitB.blueprint()
    let decoder = try Workload(plain, slices: 1, precision: .float32)
    var expected = decoder.forward
    expected[.decoder, default: 0] *= 3
    #expect(decoder.training == expected)
    // Of SAM at 1024 pixels a second slice is decoded by itself, and then once more.
    let two = try Workload(plain, slices: 2, precision: .float32)
    #expect(two.training[.decoder] == two.forward[.decoder].map { 4 * $0 })
    let memory = try MemoryEstimate(plain, slices: 1, trains: true, precision: .float32)
    #expect(memory.training == 12 * plain.parameterCounts(try Architecture(plain)).trainable)
  }

  @Test func `factors in later blocks leave less to differentiate`() throws {
    let plain = try SAMForm.vitB.blueprint()
    let training = try [[0], [3], [11]].map { blocks in
      try Workload(
        plain.applying(InjectFactors(kind: .tt, rank: 4, blocks: blocks, seed: 1)), slices: 1,
        precision: .float32
      ).training
    }
    // A block's MLP is calculated forward in each case; its gradients, and its first layer once more
    // where the hidden layer is not kept, only from the first factors on.
    let block = 2 * 64 * 64 * 768 * 2 * 3072
    let gradients = training.map { ($0[.mlp] ?? 0) - 12 * block }
    #expect(gradients[2] == block && (9 * block...14 * block).contains(gradients[1]))
    #expect(gradients[0] > gradients[1])
    #expect(training[0][.factors] == training[2][.factors])
    #expect(training[0][.neck] == training[2][.neck])
  }

  @Test func `a step that keeps less calculates more again`() throws {
    // Beside rounded weights the budget is smaller, which leaves no hidden layer of ViT-B kept.
    let plan = try SAMForm.vitB.masam()
    let whole = try Workload(plan, slices: 5, precision: .float32)
    let rounded = try Workload(plan, slices: 5, precision: .brainFloat16)
    let hidden = 2 * 5 * 32 * 32 * 768 * 3072
    #expect(rounded.trainingOperations == whole.trainingOperations + 9 * hidden)
    #expect(rounded.forward == whole.forward)
  }

  @Test func `the budget is for blocks that are differentiated alone`() throws {
    let model = try Architecture(SAMForm.vitB.masam())
    let encoder = try #require(model.encoder)
    let some = BlockMemory(
      encoder, model.adapters, blocks: 10..<12, images: 20, roundsWeights: false)
    #expect(some.kept(by: 9) == nil)
    #expect(some.kept(by: 10) == .hidden && some.kept(by: 11) == .hidden)
    #expect(some.totalBytes == 2 * (some.inputBytes + some.moreBytes + some.hiddenBytes))
    let all = BlockMemory(
      encoder, model.adapters, blocks: 0..<12, images: 20, roundsWeights: false)
    #expect(all.kept(by: 10) == .input)
  }

  @Test func `what cannot be run or trained is not planned`() throws {
    let plan = try GoldenModel(name: "masam-tt").plan()
    let code = { (plan: Blueprint, trains: Bool) -> RuntimeError.Code? in
      do {
        _ = try ResourcePlan(
          plan, path: "model", slices: 1, trains: trains, precision: .float32)
        return nil
      } catch let error as RuntimeError { return error.code }
    }
    let merged = try plan.applying(MergeFactors())
    #expect(try code(merged, false) == nil && code(merged, true) == .notTrainable)
    var unequal = plan
    let name: TensorName = "image_encoder.blocks.0.attn.rel_pos_w"
    let place = try #require(unequal.entries.firstIndex { $0.info.name == name })
    let info = unequal.entries[place].info
    unequal.entries[place].info = try TensorInfo(
      name: name, dtype: info.dtype, shape: [info.shape[0] + 2, info.shape[1]])
    #expect(try code(unequal, false) == .incompleteModel)
  }

  /// A header of a few kilobytes may claim any extents: weights, a grid or both.
  @Test(arguments: [1, 4096]) func `extents beyond all counting are refused`(_ slices: Int) throws {
    for (width, grid) in [(1 << 20, 4), (32, 1 << 12), (1 << 20, 1 << 12)] {
      let vast = SAMForm(width: width, depth: 2, heads: 2, globalBlocks: [1], grid: grid)
      #expect { try Workload(vast.blueprint(), slices: slices, precision: .float32) } throws: {
        ($0 as? RuntimeError)?.code == .unsupportedModel
      }
    }
    // The encodings of places alone would take 4 TB.
    let wide = SAMForm(
      width: 1, depth: 1, heads: 1, globalBlocks: [], grid: 1 << 14, promptWidth: 1 << 12)
    #expect { try SegmentAnything.check(wide.blueprint(), path: "wide") } throws: {
      ($0 as? RuntimeError)?.code == .unsupportedModel
    }
    let large = try Workload(SAMForm.vitH.masam(), slices: 4096, precision: .float32)
    #expect(large.trainingOperations > large.forwardOperations)
  }

  @Test func `weights and places fit into memory to the last byte`() throws {
    let plan = try SAMForm.small.blueprint()
    let model = try Architecture(plan)
    let parameters = plan.entries.reduce(0) { $0 + $1.info.elementCount }
    let bytes = 4 * (parameters + 4 * 4 * 64)
    try ModelExtents.check(plan, model, path: nil, memory: bytes)
    #expect { try ModelExtents.check(plan, model, path: nil, memory: bytes - 1) } throws: {
      ($0 as? RuntimeError)?.code == .unsupportedModel
    }
  }

  /// Mask tokens meet pixels in no weight, so that few parameters may claim much work.
  @Test func `a decoder's work beyond all counting is a number, and no trap`() throws {
    let plan = try SAMForm.small.blueprint()
    var model = try Architecture(plan)
    let usual = DecoderWorkload(plan, model, images: 1, grid: 4).operations
    model.decoder.maskTokens = 1 << 40
    let vast = DecoderWorkload(plan, model, images: 4096, grid: 1 << 20).operations
    #expect(usual > 1e6 && usual < 1e9 && vast > 0x1p64 && vast.isFinite)
    #expect { try ModelExtents.check(plan, model, path: nil) } throws: {
      ($0 as? RuntimeError)?.code == .unsupportedModel
    }
  }

  @Test func `rates are measured in a moment whatever the extents`() throws {
    let form = SAMForm(width: 1 << 14, depth: 2, heads: 1 << 6, globalBlocks: [1], grid: 512)
    let model = try Architecture(form.blueprint())
    let encoder = try #require(model.encoder)
    let elapsed = ContinuousClock().measure {
      _ = MachineRates(measuring: model, encoder, slices: 4096, precision: .float32)
    }
    #expect(elapsed < .seconds(60))
  }

  @Test func `a delta cannot be planned`() throws {
    let delta = try GoldenModel(name: "masam-tt").plan().applying(ExtractDelta())
    #expect { try Workload(delta, slices: 1, precision: .float32) } throws: {
      ($0 as? RuntimeError)?.code == .unsupportedModel
    }
  }

  @Test(
    arguments: [
      (nil, [0, 1], ["everywhere"]), (7, [], ["in windows"]),
      (7, [1], ["in windows", "everywhere"]),
      (7, nil, ["in windows", "everywhere"]),
    ] as [(Int?, [Int]?, [String])])
  func `kernels are timed for the kinds of attention that a model has`(
    window: Int?, global: [Int]?, kinds: [String]
  ) throws {
    let model = try Architecture(GoldenModel(name: "sam-one-slice").plan())
    var encoder = try #require(model.encoder)
    (encoder.window, encoder.globalBlocks) = (window, global)
    let timings = KernelBenchmark(model, encoder: encoder, slices: 1, seconds: 0).others()
    let attention = timings.map(\.name).filter { $0.hasPrefix("attention") }
    #expect(attention == kinds.map { "attention " + $0 })
  }

  @Test func `the time is the work over the rates that were measured`() throws {
    let plan = try ResourcePlan(
      GoldenModel(name: "masam-tt").plan(), path: "model", slices: 2, trains: false,
      precision: .float32)
    #expect(plan.operations == plan.workload.forwardOperations)
    let rates = [plan.rates.products, plan.rates.windowedAttention, plan.rates.globalAttention]
    let slowest = Double(plan.operations) / (rates.min() ?? 0)
    let fastest = Double(plan.operations) / (rates.max() ?? 0)
    #expect(fastest > 0 && (fastest * 0.999...slowest * 1.001).contains(plan.seconds))
  }
}
