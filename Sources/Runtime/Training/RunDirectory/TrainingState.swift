import Formats
import Support

/// Where a run stands: everything that goes on besides tensors.
///
/// The random generator has no state but the seed and the step.
public struct TrainingState: Sendable, Equatable {
  /// Steps that are done.
  public var step: Int
  public var seed: UInt64
  /// Epochs that are over, and batches of the next that are done.
  public var epoch: Int
  public var position: Int
  /// The checkpoint that did best in validation, and how well.
  public var best: Best?

  public struct Best: Sendable, Equatable {
    public var step: Int
    public var value: Double

    public init(step: Int, value: Double) {
      self.step = step
      self.value = value
    }
  }

  public init(step: Int, seed: UInt64, epoch: Int = 0, position: Int = 0, best: Best? = nil) {
    self.step = step
    self.seed = seed
    self.epoch = epoch
    self.position = position
    self.best = best
  }

  var text: String {
    let fields: [(key: String, value: JSON)] = [
      ("step", .int(step)), ("seed", .string("\(seed)")), ("epoch", .int(epoch)),
      ("position", .int(position)), ("best_step", best.map { .int($0.step) } ?? .null),
      ("best_value", best.map { .double($0.value) } ?? .null),
    ]
    return JSON.object(fields).encoded() + "\n"
  }

  /// - Throws: `FormatError` with code `badJSON` or `badMetadata`.
  init(_ bytes: [UInt8]) throws {
    var fields: [String: String] = [:]
    var scanner = JSONScanner(bytes, base: 0)
    try scanner.object { scanner, key in
      guard fields.updateValue(try scanner.literal(), forKey: key) == nil else {
        throw FormatError(.duplicateKey, subject: key)
      }
    }
    try scanner.expectEnd()
    func count(_ key: String) throws -> Int {
      guard let value = fields[key].flatMap(Int.init), value >= 0 else {
        throw FormatError(.badMetadata, subject: key, expected: "a whole number ≥ 0")
      }
      return value
    }
    step = try count("step")
    epoch = try count("epoch")
    position = try count("position")
    let quoted = fields["seed"] ?? ""
    guard quoted.hasPrefix("\""), let seed = UInt64(quoted.dropFirst().dropLast()) else {
      throw FormatError(.badMetadata, subject: "seed", expected: "a whole number as text")
    }
    self.seed = seed
    if let value = fields["best_value"].flatMap(Double.init), value.isFinite {
      best = Best(step: try count("best_step"), value: value)
    }
  }
}
