import Formats
import Support

extension Blueprint.Origin {
  /// Where the bytes come from, in a few words.
  public var summary: String {
    switch self {
    case .stored(let tensor):
      return "copied from '\(tensor.info.name)' of \(tensor.checkpoint.path.escapedForDisplay)"
    case .computed(let computation):
      let names = computation.inputs.map { "'\($0.info.name)'" }.joined(separator: ", ")
      return "\(computation.verb), of \(names)"
    case .initialised(let initialisation): return initialisation.summary
    }
  }

  /// `stored`, `computed` or `initialised`.
  public var kind: String {
    switch self {
    case .stored: "stored"
    case .computed: "computed"
    case .initialised: "initialised"
    }
  }
}

extension Initialisation {
  fileprivate var summary: String {
    switch distribution {
    case .constant(let value): "constant \(value)"
    case .uniform(let bound): "uniform within ±\(bound), seed \(seed)"
    case .normal: "normal, seed \(seed)"
    }
  }
}

extension Blueprint {
  /// How many numbers training changes and how many it leaves.
  ///
  /// - Parameter model: the plan's own architecture.
  public func parameterCounts(_ model: Architecture) -> (trainable: Int, frozen: Int) {
    entries.reduce(into: (0, 0)) { counts, entry in
      // The frequencies of the prompt's encoding are a buffer, saved but never trained.
      let isTrainable =
        ExtractDelta.isTrainable(entry.info.name, model)
        && !entry.info.name.text.contains(".pe_layer.")
      if isTrainable {
        counts.0 += entry.info.elementCount
      } else {
        counts.1 += entry.info.elementCount
      }
    }
  }
}
