import Formats
import Numerics

/// Changes parameters by their gradients.
public protocol Optimiser: AnyObject {
  /// Moves every tensor that has a gradient; one without is left alone, and so is its state.
  ///
  /// - Parameters:
  ///   - tensors: the same ones in the same order at every step.
  ///   - rate: the learning rate of this step.
  func step(_ tensors: [TrainedTensor], rate: Double)

  /// Everything that the next step depends on besides the parameters.
  var state: [OptimiserEntry] { get }

  /// Takes up a state that `state` gave.
  ///
  /// - Throws: `TrainingError` with code `stateMismatch`, or what reading throws.
  func restore(_ checkpoint: any Checkpoint, for tensors: [TrainedTensor]) throws
}

/// One tensor or number of an optimiser's state.
public struct OptimiserEntry: Sendable {
  public enum Contents: Sendable {
    case tensor(Tensor)
    /// Kept as a whole number, a tensor without axes.
    case count(Int)
  }

  public var name: String
  public var contents: Contents
}

/// For each trained tensor how often it was moved, and numbers of its shape.
struct OptimiserSlots {
  struct Slot {
    var steps = 0
    var tensors: [Tensor] = []
  }

  /// What the tensors of a slot are called in a file, such as `exp_avg`.
  let kinds: [String]
  private(set) var slots: [Slot] = []
  private var names: [String] = []

  init(kinds: [String]) { self.kinds = kinds }

  private static let steps = "step"
  /// As many as a run may have.
  private static let mostSteps = Int(UInt32.max)

  /// Makes room for the tensors the first time, and for one that moves the first time.
  mutating func prepare(_ tensors: [TrainedTensor]) {
    if slots.isEmpty {
      slots = tensors.map { _ in Slot() }
      names = tensors.map(\.name)
    }
    precondition(names == tensors.map(\.name), "the same tensors at every step")
    for (index, item) in tensors.enumerated() where item.gradient != nil {
      slots[index].steps += 1
      if slots[index].tensors.isEmpty {
        slots[index].tensors = kinds.map { _ in Tensor(repeating: 0, shape: item.value.shape) }
      }
    }
  }

  var entries: [OptimiserEntry] {
    zip(names, slots).filter { $1.steps > 0 }.flatMap { name, slot in
      zip(kinds, slot.tensors).map {
        OptimiserEntry(name: "\($0).\(name)", contents: .tensor($1))
      } + [OptimiserEntry(name: "\(Self.steps).\(name)", contents: .count(slot.steps))]
    }
  }

  mutating func restore(_ checkpoint: any Checkpoint, for tensors: [TrainedTensor]) throws {
    var places: [TensorName: Int] = [:]
    for (place, info) in checkpoint.tensors.enumerated() { places[info.name] = place }
    let restored = try tensors.map { item -> Slot in
      guard let place = places.removeValue(forKey: TensorName("\(Self.steps).\(item.name)")) else {
        return Slot()
      }
      let steps = try Self.count(checkpoint, place)
      return Slot(
        steps: steps,
        tensors: try kinds.map { kind in
          let name = TensorName("\(kind).\(item.name)")
          guard let place = places.removeValue(forKey: name),
            checkpoint.tensors[place].shape == item.value.shape,
            checkpoint.tensors[place].dtype == .float32
          else { throw Self.mismatch(checkpoint, name, "32-bit floats \(item.value.shape)") }
          return try Tensor(reading: checkpoint, place)
        })
    }
    if let other = places.keys.min() {
      throw Self.mismatch(checkpoint, other, "the state of tensors that are trained, and no other")
    }
    slots = restored
    names = tensors.map(\.name)
  }

  private static func count(_ checkpoint: any Checkpoint, _ place: Int) throws -> Int {
    let info = checkpoint.tensors[place]
    guard info.dtype == .int64, info.shape.isEmpty else {
      throw mismatch(checkpoint, info.name, "a 64-bit whole number")
    }
    let count = try checkpoint.bytes(of: place).withUnsafeBytes {
      Int64(littleEndian: $0.loadUnaligned(as: Int64.self))
    }
    guard let count = Int(exactly: count), (1...mostSteps).contains(count) else {
      throw mismatch(checkpoint, info.name, "a number of steps from 1 to \(mostSteps)")
    }
    return count
  }

  private static func mismatch(
    _ checkpoint: any Checkpoint, _ name: TensorName, _ expected: String
  ) -> TrainingError {
    TrainingError(.stateMismatch, file: checkpoint.path, subject: name.text, expected: expected)
  }
}
