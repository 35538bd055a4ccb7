import Support

/// Decides which part of a file is the model.
///
/// Training scripts wrap the weights in a dictionary beside optimiser state and counters; this
/// unwraps it when there is one candidate and asks when there are two.
struct TorchRoot {
  typealias ID = PickleDocument.ID

  let tree: PickleTree<TorchRebuild>

  /// The names under which frameworks keep the weights.
  private static let wrapperKeys = [
    "state_dict", "model", "model_state_dict", "module", "net", "ema", "network",
    "network_weights", "weights", "params", "model_state", "state_dict_ema", "model_ema",
    "params_ema", "generator", "student", "teacher",
  ]

  /// What a training script keeps beside the weights, by the beginning of its key.
  private static let siblingPrefixes = [
    "optim", "scheduler", "lr_scheduler", "lr_sched", "scaler", "grad_scaler", "amp", "args",
    "config", "hparams", "hyper_parameters", "callbacks", "loops", "rng", "random", "state_rng",
  ]

  /// Follows `--key`, or unwraps as long as there is just one way.
  ///
  /// - Throws: `FormatError` with code `ambiguousRoot`, `keyNotFound` or `noTensors`.
  func choose(key: String?) throws -> PicklePart {
    var part = PicklePart(id: tree.document.root)
    if let key {
      part = try tree.part(at: key)
    } else {
      var known: Set<ID> = [part.id]
      while let next = try unwrap(part.id) {
        guard part.path.count < Budgets.jsonDepth, known.insert(next.value).inserted else {
          throw FormatError(.depthLimit)
        }
        part = tree.step(from: part, to: next)
      }
    }
    return try tree.checked(part, expected: "a dictionary of tensors")
  }

  /// The part to go on with, or nil when this level is the model itself.
  private func unwrap(_ id: ID) throws -> (key: String, value: ID)? {
    let entries = tree.entries(id)
    let candidates = entries.filter { entry in
      Self.wrapperKeys.contains { tree.same($0, entry.key) } && isMapping(entry.value)
    }
    let tensors = entries.filter { tree.isTensor($0.value) }
    guard tensors.allSatisfy({ isScalar($0.value) }) else { return nil }
    if candidates.count == 1 { return candidates[0] }
    guard candidates.isEmpty else { throw ambiguous(candidates.map(\.key)) }
    guard tensors.isEmpty else { return nil }
    let others = entries.filter { entry in
      isMapping(entry.value) && !Self.siblingPrefixes.contains { entry.key.hasPrefix($0) }
    }
    guard others.count <= 1 else { throw ambiguous(others.map(\.key)) }
    // A mapping of a mapping may as well be a model with one submodule, so only a mapping that
    // directly holds tensors is taken for a wrapper.
    return others.first { entry in
      tree.entries(entry.value).contains { tree.isTensor($0.value) }
    }
  }

  private func ambiguous(_ keys: [String]) -> FormatError {
    FormatError(.ambiguousRoot, expected: "one model", found: tree.list(keys, prefix: ""))
  }

  private func isMapping(_ id: ID) -> Bool {
    tree.document.kind(id) == .dict && tree.holdsTensor(id)
  }

  /// Whether a tensor has no dimensions, as a stored loss or counter has.
  private func isScalar(_ id: ID) -> Bool {
    (try? tree.tensors.tensor(id, name: "value").info.shape.isEmpty) ?? false
  }
}
