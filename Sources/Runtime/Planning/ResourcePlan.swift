import Formats
import Networks
import Numerics
import Surgery

/// What running or training a model takes on this machine.
public struct ResourcePlan: Sendable {
  public let architecture: Architecture
  public let trainable: Int
  public let frozen: Int
  public let workload: Workload
  public let memory: MemoryEstimate
  public let rates: MachineRates
  /// Whether the plan is of a training step, not of a forward pass.
  public let trains: Bool

  /// Counts, estimates, and measures for a moment.
  ///
  /// - Parameters:
  ///   - plan: a whole model under canonical names.
  ///   - path: its file, as errors name it.
  ///   - slices: of a stack.
  /// - Throws: `SurgeryError` when it is no model, `RuntimeError` when it cannot be run or trained.
  public init(
    _ plan: Blueprint, path: String, slices: Int, trains: Bool, precision: Precision
  ) throws {
    architecture = try Architecture(plan)
    // First of all, as whatever else looks at the model takes memory by its extents.
    let encoder = try Workload.countableEncoder(
      of: architecture, plan, slices: slices, path: path)
    try SegmentAnything.check(plan, path: path)
    if trains { try SegmentAnything.checkTrainable(architecture, path: path) }
    workload = try Workload(plan, slices: slices, precision: precision, path: path)
    (trainable, frozen) = plan.parameterCounts(architecture)
    memory = try MemoryEstimate(plan, slices: slices, trains: trains, precision: precision)
    rates = MachineRates(
      measuring: architecture, encoder, slices: slices, precision: precision)
    self.trains = trains
  }

  /// Floating-point operations of each stage that has any, in the order of a forward pass.
  public var stages: [(stage: Workload.Stage, operations: Int)] {
    let operations = trains ? workload.training : workload.forward
    return Workload.Stage.allCases.compactMap { stage in operations[stage].map { (stage, $0) } }
  }

  public var operations: Int { stages.reduce(0) { $0 + $1.operations } }

  /// How long one stack takes if all work goes at the rates that were measured.
  public var seconds: Double {
    rates.seconds(trains ? workload.training : workload.forward)
  }
}
