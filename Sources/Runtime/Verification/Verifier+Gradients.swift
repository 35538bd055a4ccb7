import Formats
import Networks
import Numerics
import Support
import Surgery

extension Verifier {
  /// What single precision leaves of a finite difference.
  private static let gradientTolerance = 1e-2

  /// Holds the gradients of what training changes against finite differences, part by part.
  ///
  /// The model sees one stack of random slices, and its logits are weighed at random. Each part is then
  /// moved a little along its own gradient and against it: the weighed sum must change as steeply as
  /// the gradient is long. What has no gradient, or one of zeros, is moved as well: nothing must change.
  /// - Throws: what loading the model throws.
  public func gradients() throws -> VerificationReport.Level {
    // Other levels have had models of their own, whose memory is kept for tensors of their sizes.
    StoragePool.shared.trim()
    let model = try SegmentAnything(
      plan, path: model.path, factors: .beside, maps: maps,
      trains: { ExtractDelta.isTrainable($0, architecture) })
    let probe = GradientProbe(model)
    probe.differentiate()
    let parts = Part.allCases.map { part in
      (part, model.trained.filter { Part($0.name) == part }.map(\.variable))
    }.filter { !$0.1.isEmpty }
    let counter = ProgressCounter(
      "differentiating", total: parts.count, unit: .pieces, progress)
    let measurements = parts.map { part, variables in
      defer { counter.add(1) }
      return VerificationReport.Measurement(
        name: part.rawValue, difference: probe.difference(variables),
        tolerance: Self.gradientTolerance)
    }
    return .init(
      "gradients", measurements,
      passing: "those of \(measurements.map(\.name).joined(separator: ", ")) are finite differences"
    )
  }

  /// What is trained, as people speak of it.
  private enum Part: String, CaseIterable {
    case factors, adapters
    case promptEncoder = "prompt encoder"
    case decoder

    init(_ name: TensorName) {
      let text = name.text
      if text.contains(".adapter_") {
        self = .adapters
      } else if text.hasPrefix("image_encoder.") {
        self = .factors
      } else {
        self = text.hasPrefix("prompt_encoder.") ? .promptEncoder : .decoder
      }
    }
  }
}

/// A function of a model's parameters that has a gradient: a weighed sum of its logits.
private struct GradientProbe {
  private let model: SegmentAnything
  private let images: Tensor
  private let slices: Int
  private let boxes: [Prompts.Box]

  init(_ model: SegmentAnything) {
    self.model = model
    let size = model.architecture.imageSize ?? 0
    // Three slices are the least in which every tap of an adapter has something to do.
    slices = min(3, model.architecture.slices ?? 3)
    images = Self.uniform([slices, 3, size, size], "images", from: 0)
    let edge = Float(size)
    let box = Prompts.Box(left: edge / 4, top: edge / 3, right: edge / 2, bottom: 3 * edge / 4)
    boxes = [Prompts.Box](repeating: box, count: slices)
  }

  /// Numbers that are the same for every model of the shape.
  private static func uniform(_ shape: [Int], _ name: String, from lower: Float) -> Tensor {
    let stream = RandomStream(seed: 1, name: "gradients." + name)
    let count = shape.reduce(1, *)
    let numbers = (0..<(count + 3) / 4).flatMap { block -> [Float] in
      let four = stream.uniform(block: UInt64(block))
      return (0..<4).map { lower + (1 - lower) * Float(four[$0]) }
    }
    return Tensor(Array(numbers.prefix(count)), shape: shape)
  }

  private func weights(_ logits: Tensor) -> Tensor {
    Self.uniform(logits.shape, "weights", from: -1)
  }

  func differentiate() {
    let tape = Tape()
    let logits = model.logits(images, slices: slices, boxes: boxes, tape: tape)
    logits.gradient?.accumulate(weights(logits.value))
    tape.runBackward()
  }

  private var value: Double {
    let logits = model(images, slices: slices, boxes: boxes).masks
    return zip(logits.values, weights(logits).values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }

  /// How far the slope along the gradient is from its length, relative to that; infinite when something
  /// without a gradient changes the value.
  func difference(_ parameters: [Variable]) -> Double {
    let isReached = { (variable: Variable) in
      variable.gradient?.value?.values.contains { $0 != 0 } ?? false
    }
    guard isSame(movingAll: parameters.filter { !isReached($0) }) else { return .infinity }
    // Zeros that a training begins with have no size of their own to measure steps by.
    let size = norm(parameters.filter { $0.gradient?.value != nil }.map(\.value.values))
    return slopeDifference(parameters.filter(isReached), size: size)
  }

  /// Whether the value stays when parameters that it does not depend on are moved: little, so that no
  /// ReLU changes sides, and yet by more than rounding hides.
  private func isSame(movingAll parameters: [Variable]) -> Bool {
    guard !parameters.isEmpty else { return true }
    let kept = parameters.map(\.value.values)
    let directions = parameters.map { Self.uniform($0.shape, "direction", from: -1).values }
    let before = value
    move(parameters, kept, directions, by: 1e-3 * max(norm(kept), 1) / max(norm(directions), 1e-30))
    let after = value
    move(parameters, kept, directions, by: 0)
    // Adding the same numbers in the same order gives the same bits.
    return before == after
  }

  private func slopeDifference(_ parameters: [Variable], size: Double) -> Double {
    let gradients = parameters.map { $0.gradient?.value?.values ?? [] }
    let kept = parameters.map(\.value.values)
    let length = norm(gradients)
    guard length > 0, length.isFinite else { return length.isFinite ? 0 : .nan }
    // Rounding hides short steps and curvature bends long ones; the best of all tells.
    return [1e-2, 1e-3, 1e-4, 1e-5, 1e-6].map { part -> Double in
      let step = part * max(size, 1e-3)
      let ends = [step, -step].map { distance -> Double in
        move(parameters, kept, gradients, by: distance / length)
        return value
      }
      move(parameters, kept, gradients, by: 0)
      return abs((ends[0] - ends[1]) / (2 * step) - length) / length
    }.min() ?? .nan
  }

  private func norm(_ parts: [[Float]]) -> Double {
    parts.reduce(0) { $0 + $1.reduce(0) { $0 + Double($1) * Double($1) } }.squareRoot()
  }

  private func move(
    _ parameters: [Variable], _ kept: [[Float]], _ gradients: [[Float]], by factor: Double
  ) {
    for (index, parameter) in parameters.enumerated() {
      for place in kept[index].indices {
        parameter.value.pointer[place] = Float(
          Double(kept[index][place]) + factor * Double(gradients[index][place]))
      }
      withExtendedLifetime(parameter) {}
    }
  }
}
