import Formats
import Support
import Testing

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
    let workload = try Workload(model.masam(), slices: 5)
    #expect(abs(Double(workload.forwardOperations) / expected - 1) < 0.015)
    let share = Double(workload.trainingOperations) / Double(workload.forwardOperations)
    #expect((2.2...3.4).contains(share))
  }

  @Test func `each stage of ViT-B is its own formula`() throws {
    let workload = try Workload(SAMForm.vitB.masam(), slices: 5)
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
    let workload = try Workload(SAMForm.vitB.blueprint(), slices: 1)
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
    let (one, four) = (try Workload(plan, slices: 1), try Workload(plan, slices: 4))
    for (stage, count) in one.forward where stage != .adapters {
      #expect(four.forward[stage] == 4 * count, "\(stage)")
    }
    let memory = try MemoryEstimate(plan, slices: 1, trains: false, precision: .float32)
    let counts = plan.parameterCounts(try Architecture(plan))
    #expect(memory.weights == 4 * (counts.trainable + counts.frozen) && memory.training == 0)
    let training = try MemoryEstimate(plan, slices: 1, trains: true, precision: .float32)
    #expect(training.training > 12 * counts.trainable)
    #expect((4 * counts.trainable..<memory.weights).contains(training.weights))
    let rounded = try MemoryEstimate(plan, slices: 1, trains: true, precision: .brainFloat16)
    #expect((4 * counts.trainable..<memory.weights).contains(rounded.weights))
  }

  @Test func `a delta cannot be planned`() throws {
    let delta = try GoldenModel(name: "masam-tt").plan().applying(ExtractDelta())
    #expect { try Workload(delta, slices: 1) } throws: {
      ($0 as? RuntimeError)?.code == .unsupportedModel
    }
  }

  @Test func `the time is the work over the rates that were measured`() throws {
    let plan = try ResourcePlan(
      GoldenModel(name: "masam-tt").plan(), slices: 2, trains: false, precision: .float32)
    #expect(plan.operations == plan.workload.forwardOperations)
    let rates = [plan.rates.products, plan.rates.windowedAttention, plan.rates.globalAttention]
    let slowest = Double(plan.operations) / (rates.min() ?? 0)
    let fastest = Double(plan.operations) / (rates.max() ?? 0)
    #expect(fastest > 0 && (fastest * 0.999...slowest * 1.001).contains(plan.seconds))
  }
}
