import Foundation
import Numerics
import Support
import Yams

extension TrainingConfiguration {
  /// The configurations that come with the tool, by name.
  public static let shipped: [(name: String, text: String)] = [
    ("masam-btcv", PackageResources.masam_btcv_yaml),
    ("masam-endovis18", PackageResources.masam_endovis18_yaml),
    ("masam-pancreas-box", PackageResources.masam_pancreas_box_yaml),
    ("masam-prostate", PackageResources.masam_prostate_yaml),
  ].map { ($0.0, String(decoding: $0.1, as: UTF8.self)) }

  /// Reads a configuration; what it does not say stays as it is by default.
  ///
  /// - Parameters:
  ///   - yaml: a mapping of options, spelled as on the command line.
  ///   - path: what errors call it.
  /// - Throws: `TrainingError` with code `badConfiguration`.
  public init(yaml: String, path: String) throws {
    self.init()
    let node: Node?
    do {
      node = try Yams.compose(yaml: yaml)
    } catch {
      throw TrainingError(.badConfiguration, file: path, expected: "YAML", found: "\(error)")
    }
    guard let node else { return }
    guard let mapping = node.mapping else {
      throw TrainingError(
        .badConfiguration, file: path, expected: "options and their values", found: "something else"
      )
    }
    for (key, value) in mapping {
      guard let name = key.string else { continue }
      try set(name, ConfigurationValue(path: path, name: name, node: value))
    }
    try check()
  }

  private mutating func set(_ name: String, _ value: ConfigurationValue) throws {
    switch name {
    case "steps": steps = try value.int()
    case "epochs": epochs = try value.int()
    case "max-steps": maxSteps = try value.int()
    case "max-epochs": maxEpochs = try value.int()
    case "batch-size": batchSize = try value.int()
    case "accumulate": accumulate = try value.int()
    case "optimiser": optimiser = try value.choice()
    case "lr": learningRate = try value.number()
    case "warmup": warmup = try value.int()
    case "lr-exponent": exponent = try value.number()
    case "weight-decay": weightDecay = try value.number()
    case "decay-vectors": decaysVectors = try value.flag()
    case "momentum": momentum = try value.number()
    case "ce-weight": entropyWeight = try value.number()
    case "dice-weight": diceWeight = try value.number()
    case "fact-dropout": factDropout = try value.number()
    case "augment": augment = try value.choice()
    case "prompt": prompt = try value.choice()
    case "seed": seed = try value.int()
    case "clip-norm": clipNorm = try value.number()
    case "precision": precision = try value.choice()
    case "train-patterns": trainPatterns = try value.list()
    case "freeze-patterns": freezePatterns = try value.list()
    default: throw value.bad("an option of wt train, such as lr or batch-size", "'\(name)'")
    }
  }
}

/// One value of a configuration file, and where it stands.
private struct ConfigurationValue {
  var path: String
  var name: String
  var node: Node

  func int() throws -> Int {
    guard let value = node.int else { throw bad("a whole number", text) }
    return value
  }

  func number() throws -> Double {
    guard let value = node.float ?? node.int.map(Double.init) else { throw bad("a number", text) }
    return value
  }

  func flag() throws -> Bool {
    guard let value = node.bool else { throw bad("true or false", text) }
    return value
  }

  func choice<Choice: RawRepresentable & CaseIterable>() throws -> Choice
  where Choice.RawValue == String {
    guard let value = node.string.flatMap(Choice.init) else {
      throw bad(Choice.allCases.map(\.rawValue).joined(separator: " or "), text)
    }
    return value
  }

  func list() throws -> [String] {
    guard let items = node.sequence?.map(\.string), !items.contains(nil) else {
      throw bad("a list of texts", text)
    }
    return items.compactMap { $0 }
  }

  private var text: String { node.string.map { "'\($0)'" } ?? "a list or mapping" }

  func bad(_ expected: String, _ found: String) -> TrainingError {
    TrainingError(
      .badConfiguration, file: path, subject: name, expected: expected, found: found)
  }
}
