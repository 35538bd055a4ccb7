import CKernels
import Formats
import Numerics
import Support
import TestSupport
import Testing

@testable import Training

/// Steps that make_loss_fixtures.py had PyTorch's optimisers take.
struct OptimiserTests {
  enum Kind: String, CaseIterable, Sendable {
    case adamW = "adamw"
    case groups = "adamw-groups"
    case clipped = "adamw-clipped"
    case descent = "sgd"

    func make() -> any Optimiser {
      switch self {
      case .adamW, .clipped: AdamW(decay: WeightDecay(rate: 0.1))
      case .groups: AdamW(decay: WeightDecay(rate: 0.1, includesVectors: false))
      case .descent: StochasticGradientDescent(decay: WeightDecay(rate: 1e-4))
      }
    }

    var clip: Double? { self == .clipped ? 0.5 : nil }
  }

  static let names = ["weight", "bias", "gain"]
  static let steps = 10

  /// The parameters as they start, with the gradients of a step when it is given.
  private func start(_ file: Recording) throws -> [Tensor] {
    try Self.names.map { try file.tensor("\($0).start") }
  }

  private func take(
    _ step: Int, _ optimiser: any Optimiser, _ values: [Tensor], _ file: Recording, _ kind: Kind
  ) throws {
    let tensors = try zip(Self.names, values).map { name, value in
      let key = "\(name).gradient.\(step)"
      return TrainedTensor(
        name: name, value: value, gradient: file.has(key) ? try file.tensor(key) : nil)
    }
    let norm = Gradients.norm(tensors)
    if let clip = kind.clip {
      let expected = Double(try file.tensor("norm.\(step)").values[0])
      #expect(abs(norm - expected) <= 1e-6 * expected)
      Gradients.clip(tensors, norm: norm, to: clip)
    }
    optimiser.step(tensors, rate: 1e-2 * Double(step + 1) / Double(Self.steps))
  }

  @Test(arguments: Kind.allCases) func `every step is PyTorch's`(_ kind: Kind) throws {
    let file = try Recording("optimiser-\(kind.rawValue)")
    let (values, optimiser) = (try start(file), kind.make())
    for step in 0..<Self.steps {
      let before = values.map(\.values)
      try take(step, optimiser, values, file, kind)
      for (index, name) in Self.names.enumerated() {
        let expected = try file.tensor("\(name).after.\(step)").values
        expectClose(values[index].values, expected, 5e-7)
        if !file.has("\(name).gradient.\(step)") { #expect(values[index].values == before[index]) }
      }
    }
  }

  @Test(arguments: awkwardSizes) func `the kernel agrees with its twin`(_ count: Int) {
    var step = wt_adamw_step(
      kept: 0.999, first_share: 0.1, second_kept: 0.99, second_share: 0.01, size: -1e-2, root: 0.3,
      epsilon: 1e-8)
    let gradient = numbers(count, seed: 2)
    let results = [wt_adamw, wt_adamw_scalar].map { kernel in
      var (value, mean) = (numbers(count), numbers(count, seed: 3))
      var square = numbers(count, seed: 4).map(abs)
      kernel(&value, gradient, &mean, &square, count, &step)
      return [value, mean, square]
    }
    for (fast, twin) in zip(results[0], results[1]) { expectClose(fast, twin, 5e-7) }
  }

  /// A checkpoint of an optimiser's state on the disk.
  private func write(
    _ optimiser: any Optimiser, to directory: TemporaryDirectory
  ) throws -> any Checkpoint {
    let path = directory.file("optimizer.safetensors")
    _ = try OptimiserState.write(
      optimiser.state, to: path, metadata: CheckpointMetadata(), fileSystem: POSIXFileSystem())
    return try openCheckpoint(path)
  }

  @Test(arguments: Kind.allCases, [1, 3, 7]) func `a restored state continues bit by bit`(
    _ kind: Kind, _ pause: Int
  ) throws {
    let file = try Recording("optimiser-\(kind.rawValue)")
    let (values, first) = (try start(file), kind.make())
    for step in 0..<pause { try take(step, first, values, file, kind) }
    let directory = try TemporaryDirectory()
    let stored = try write(first, to: directory)
    let copies = values.map { $0.copied() }
    let second = kind.make()
    try second.restore(stored, for: zip(Self.names, copies).map { .init(name: $0, value: $1) })
    for step in pause..<Self.steps {
      try take(step, first, values, file, kind)
      try take(step, second, copies, file, kind)
    }
    for (value, copy) in zip(values, copies) { #expect(value.values == copy.values) }
  }

  @Test func `a state of other tensors is refused`() throws {
    let file = try Recording("optimiser-adamw")
    let (values, optimiser) = (try start(file), Kind.adamW.make())
    for step in 0..<3 { try take(step, optimiser, values, file, .adamW) }
    let directory = try TemporaryDirectory()
    let stored = try write(optimiser, to: directory)
    let wrong: [[TrainedTensor]] = [
      [.init(name: "weight", value: values[0]), .init(name: "bias", value: values[1])],
      [
        .init(name: "weight", value: values[1]), .init(name: "bias", value: values[1]),
        .init(name: "gain", value: values[2]),
      ],
    ]
    for tensors in wrong {
      let error = #expect(throws: TrainingError.self) {
        try Kind.adamW.make().restore(stored, for: tensors)
      }
      #expect(error?.code == .stateMismatch)
    }
    let error = #expect(throws: TrainingError.self) {
      try Kind.descent.make().restore(
        stored, for: zip(Self.names, values).map { .init(name: $0, value: $1) })
    }
    #expect(error?.subject == "momentum_buffer.weight")
  }

  @Test func `threads change no bit`() {
    defer { Threads.setCount(availableProcessors) }
    let results = [1, 2, 5].map { threads in
      Threads.setCount(threads)
      let optimiser = AdamW(decay: WeightDecay(rate: 0.1))
      let values = [tensor(70_000), tensor(3), tensor(200_000, seed: 2)]
      var norms: [UInt64] = []
      for step in 0..<3 {
        let tensors = values.enumerated().map { index, value in
          TrainedTensor(
            name: "\(index)", value: value,
            gradient: tensor(value.count, seed: UInt64(step * 3 + index)))
        }
        norms.append(Gradients.norm(tensors).bitPattern)
        optimiser.step(tensors, rate: 1e-3)
      }
      return norms + values.flatMap { $0.values.map { UInt64($0.bitPattern) } }
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  @Test func `the first tensor that is not finite is named`() throws {
    let bad = Tensor([1, .infinity, .nan], shape: [3])
    let tensors = [
      TrainedTensor(name: "good", value: tensor(3), gradient: tensor(3)),
      TrainedTensor(name: "none", value: tensor(3)),
      TrainedTensor(name: "bad", value: tensor(3), gradient: bad),
    ]
    #expect(!Gradients.norm(tensors).isFinite)
    let error = #expect(throws: TrainingError.self) {
      try Gradients.checkFinite(tensors, step: 7)
    }
    #expect(error?.subject == "bad")
    #expect(error?.found == "inf at element 1 in the gradient of step 7")
    try Gradients.checkFinite(Array(tensors[..<2]), step: 7)
    try Gradients.checkFiniteValues(tensors, step: 7)
    let values = [TrainedTensor(name: "value", value: bad)]
    #expect(throws: TrainingError.self) { try Gradients.checkFiniteValues(values, step: 7) }
  }

  @Test func `finite gradients too large for single precision have a finite norm`() {
    let huge = TrainedTensor(
      name: "a", value: tensor(2), gradient: Tensor([3e38, 3e38], shape: [2]))
    #expect(Gradients.norm([huge]).isFinite)
  }

  @Test func `the schedule is the published one`() {
    let schedule = LearningRateSchedule(base: 8e-4, warmup: 4, length: 10, exponent: 7)
    let expected = [2e-4, 2e-4, 4e-4, 6e-4, 8e-4, 8e-4, 8e-4 * 0.4782969, 8e-4 * 0.2097152]
    for (step, rate) in expected.enumerated() { #expect(abs(schedule(step) - rate) < 1e-18) }
    #expect(schedule(15) == 0)
    #expect(schedule(1000) == 0)
  }

  @Test func `without warm-up the schedule begins with the base`() {
    let schedule = LearningRateSchedule(base: 1, warmup: 0, length: 4, exponent: 1)
    #expect((0..<6).map { schedule($0) } == [1, 1, 0.75, 0.5, 0.25, 0])
  }
}
