import ArgumentParser
import Formats
import Numerics
import Planning
import Support
import Surgery

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Say what running or training a model takes on this machine.",
    discussion: """
      Parameters, floating-point operations of each stage, memory, and the time of one stack of
      slices, for which this machine is measured for a few seconds. Operations follow from the
      model's shapes; memory and time are estimates. --train counts a step of wt train: gradients from the
      first block on that has anything to train, and what is calculated again for them.

      Examples:
        wt plan masam.safetensors
        wt plan masam.safetensors --train --precision bf16 --json
      """)

  @Argument(help: "The model.", completion: .file()) var model: String
  @Flag(help: "Plan a training step, not a forward pass.") var train = false
  @Option(help: "What matrix products are calculated in.") var precision = Precision.float32
  @Option(
    help: ArgumentHelp(
      "Slices of a stack; otherwise as many as the model was made for.",
      valueName: "n"))
  var slices: Int?
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func validate() throws {
    if let slices, !(1...4096).contains(slices) {
      throw ValidationError("--slices must be from 1 to 4096.")
    }
  }

  func run() throws {
    let checkpoint = try reading.open(model, progress: global.progress)
    global.warn(about: checkpoint)
    let blueprint = try Blueprint(importing: checkpoint, toolVersion: toolVersion)
    let program = peakResidentBytes
    let plan = try ResourcePlan(
      blueprint, path: model, slices: stack(Architecture(blueprint)), trains: train,
      precision: precision)
    try Console.result(
      global.json
        ? plan.json(model, precision, program).encoded() : plan.text(precision, program))
  }

  /// The slices that were asked for, else those that the model says, else MA-SAM's five or SAM's one.
  private func stack(_ architecture: Architecture) -> Int {
    if let known = slices ?? architecture.slices { return known }
    let count = architecture.adapters == nil ? 1 : 5
    if !global.quiet {
      Console.note("the model does not say how many slices it takes: \(count) are planned for")
    }
    return count
  }
}

extension ResourcePlan {
  /// - Parameter program: bytes that the program holds without a model.
  fileprivate func json(_ model: String, _ precision: Precision, _ program: Int) -> JSON {
    .object([
      ("model", .string(model)), ("family", .string(architecture.family)),
      ("precision", .string(precision.rawValue)), ("train", .bool(trains)),
      ("image_size", architecture.imageSize.map(JSON.int) ?? .null),
      ("slices", .int(workload.slices)),
      (
        "parameters",
        .object([
          ("total", .int(trainable + frozen)), ("trainable", .int(trainable)),
          ("frozen", .int(frozen)),
        ])
      ),
      ("flops", .int(operations)),
      (
        "stages",
        .array(
          stages.map {
            .object([("name", .string($0.stage.rawValue)), ("flops", .int($0.operations))])
          })
      ),
      (
        "memory_bytes",
        .object([
          ("program", .int(program)), ("weights", .int(memory.weights)),
          ("activations", .int(memory.activations)), ("training", .int(memory.training)),
          ("total", .int(program + memory.total)),
        ])
      ),
      (
        "flops_per_second",
        .object([
          ("products", .double(rates.products)),
          ("windowed_attention", .double(rates.windowedAttention)),
          ("global_attention", .double(rates.globalAttention)),
        ])
      ),
      ("estimated_seconds", .double(seconds)), ("threads", .int(Threads.count)),
    ])
  }

  fileprivate func text(_ precision: Precision, _ program: Int) -> String {
    let total = Double(operations)
    var lines = architecture.lines
    lines.append(
      "parameters: \(Console.grouped(trainable + frozen)), of which "
        + "\(Console.grouped(trainable)) are trained and \(Console.grouped(frozen)) frozen")
    let size = architecture.imageSize ?? 0
    lines.append(
      "\(trains ? "a training step" : "a forward pass") on \(workload.slices) slices of "
        + "\(size) × \(size): \(Console.rounded(total / 1e9)) GFLOP")
    lines +=
      Table(
        stages.map {
          [
            $0.stage.rawValue, "\(Console.rounded(Double($0.operations) / 1e9))",
            "\((Double($0.operations) / total * 1000).rounded() / 10) %",
          ]
        }
      ).lines
    let parts =
      [("program", program), ("weights", memory.weights), ("activations", memory.activations)]
      + (trains ? [("training", memory.training)] : [])
    lines.append(
      "memory: about \(Console.bytes(program + memory.total)) ("
        + parts.map { "\($0.0) \(Console.bytes($0.1))" }.joined(separator: ", ") + ")")
    lines.append(
      "time: about \(Console.rounded(seconds)) s a stack in \(precision.rawValue), as products run "
        + "at \(Console.rounded(rates.products / 1e9)) GFLOP/s here, attention at "
        + attentionRates.joined(separator: " and "))
    return lines.joined(separator: "\n")
  }

  /// Of the kinds of attention that the model has.
  private var attentionRates: [String] {
    stages.compactMap { stage, _ in
      switch stage {
      case .windowedAttention: "\(Console.rounded(rates.windowedAttention / 1e9)) in windows"
      case .globalAttention: "\(Console.rounded(rates.globalAttention / 1e9)) everywhere"
      default: nil
      }
    }
  }
}
