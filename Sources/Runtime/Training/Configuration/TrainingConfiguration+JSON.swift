import Foundation
import Support

extension TrainingConfiguration {
  /// The configuration of a run as its directory keeps it, in one form only.
  ///
  /// - Parameter identity: of model and data: what else decides what is computed.
  public func text(identity: [(key: String, value: String)]) -> String {
    let lines = (fields + identity.map { ($0.key, JSON.string($0.value)) })
      .map { "  \(JSON.quoted($0.0)): \($0.1.encoded())" }
    return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
  }

  private var fields: [(String, JSON)] {
    [
      ("steps", int(steps)), ("epochs", int(epochs)), ("max-steps", int(maxSteps)),
      ("max-epochs", int(maxEpochs)), ("batch-size", .int(batchSize)),
      ("accumulate", .int(accumulate)), ("optimiser", .string(optimiser.rawValue)),
      ("lr", .double(learningRate)), ("warmup", .int(warmup)), ("lr-exponent", .double(exponent)),
      ("weight-decay", .double(weightDecay)), ("decay-vectors", .bool(decaysVectors)),
      ("momentum", .double(momentum)), ("ce-weight", .double(entropyWeight)),
      ("dice-weight", .double(diceWeight)), ("fact-dropout", .double(factDropout)),
      ("augment", .string(augment.rawValue)), ("prompt", .string(prompt.rawValue)),
      ("seed", .int(seed)), ("clip-norm", clipNorm.map(JSON.double) ?? .null),
      ("precision", .string(precision.rawValue)),
      ("train-patterns", .array(trainPatterns.map(JSON.string))),
      ("freeze-patterns", .array(freezePatterns.map(JSON.string))),
    ]
  }

  private func int(_ value: Int?) -> JSON { value.map(JSON.int) ?? .null }

  /// Refuses to go on with a run that was begun otherwise.
  ///
  /// - Parameter path: of the file that holds `begun`.
  /// - Throws: `TrainingError` with code `otherConfiguration`, which names what differs.
  public static func check(_ begun: String, is wanted: String, path: String) throws {
    guard begun != wanted else { return }
    let (old, new) = (lines(begun), lines(wanted))
    let names = (old.keys + new.keys.filter { old[$0] == nil }).sorted()
    let differing = names.filter { old[$0] != new[$0] }
    let difference = { (lines: [String: String]) in
      differing.prefix(5).map { "\($0) \(lines[$0] ?? "none")" }.joined(separator: ", ")
    }
    throw TrainingError(
      .otherConfiguration, file: path, expected: difference(old), found: difference(new),
      remedy: "use the same options, or another directory (-o)")
  }

  private static func lines(_ text: String) -> [String: String] {
    var result: [String: String] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.trimmingCharacters(in: CharacterSet(charactersIn: " ,")).split(
        separator: ": ", maxSplits: 1)
      if parts.count == 2 {
        result[parts[0].trimmingCharacters(in: ["\""])] = String(parts[1])
      }
    }
    return result
  }
}
