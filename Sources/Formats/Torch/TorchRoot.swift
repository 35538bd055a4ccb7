import Support

/// Decides which part of a file is the model.
///
/// Training scripts wrap the weights in a dictionary beside optimiser state and counters; this
/// unwraps it when there is one candidate and asks when there are two.
struct TorchRoot {
  typealias ID = PickleDocument.ID

  let tree: TorchTree

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

  struct Choice {
    var id: PickleDocument.ID
    /// The keys that lead to it.
    var path: [String] = []
    /// The keys beside it.
    var siblings: [String] = []
  }

  /// Follows `--key`, or unwraps as long as there is just one way.
  ///
  /// - Throws: `FormatError` with code `ambiguousRoot`, `keyNotFound` or `noTensors`.
  func choose(key: String?) throws -> Choice {
    if let key { return try follow(key) }
    var choice = Choice(id: tree.document.root)
    while let next = try unwrap(choice.id) {
      let all = entries(choice.id).map(\.key)
      choice = Choice(
        id: next.value, path: choice.path + [next.key],
        siblings: choice.siblings + all.filter { !same($0, next.key) })
      guard choice.path.count <= Budgets.jsonDepth else { throw FormatError(.depthLimit) }
    }
    return try checked(choice)
  }

  private func checked(_ choice: Choice) throws -> Choice {
    // A state dict without a single entry is one all the same.
    let isEmptyDict =
      tree.document.kind(choice.id) == .dict && tree.document.children(choice.id).isEmpty
    guard tree.holdsTensor[Int(choice.id)] || (isEmptyDict && choice.path.isEmpty) else {
      throw FormatError(
        .noTensors, expected: "a dictionary of tensors",
        found: "a \(tree.document.kind(choice.id))"
          + list(entries(choice.id).map(\.key), prefix: " with keys "))
    }
    return choice
  }

  /// The part to go on with, or nil when this level is the model itself.
  private func unwrap(_ id: ID) throws -> (key: String, value: ID)? {
    let entries = entries(id)
    let candidates = entries.filter { entry in
      Self.wrapperKeys.contains { same($0, entry.key) } && isMapping(entry.value)
    }
    let tensors = entries.filter { tree.rebuild.isTensor($0.value) }
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
      self.entries(entry.value).contains { tree.rebuild.isTensor($0.value) }
    }
  }

  private func ambiguous(_ keys: [String]) -> FormatError {
    FormatError(.ambiguousRoot, expected: "one model", found: list(keys, prefix: ""))
  }

  private func isMapping(_ id: ID) -> Bool {
    tree.document.kind(id) == .dict && tree.holdsTensor[Int(id)]
  }

  /// Whether a tensor has no dimensions, as a stored loss or counter has.
  private func isScalar(_ id: ID) -> Bool {
    (try? tree.rebuild.view(id, name: "value").info.shape.isEmpty) ?? false
  }

  private func entries(_ id: ID) -> [(key: String, value: ID)] {
    guard tree.document.kind(id) == .dict else { return [] }
    return tree.document.pairs(id).compactMap { key, value in
      (tree.document.string(key) ?? tree.document.integer(key).map(String.init))
        .map { ($0, value) }
    }
  }

  /// Walks a dotted path, in which a key may itself hold dots.
  private func follow(_ path: String) throws -> Choice {
    var choice = Choice(id: tree.document.root)
    var rest = path[...]
    while !rest.isEmpty {
      let entries = entries(choice.id)
      let match = entries.filter { matches($0.key, rest) }.max { $0.key.count < $1.key.count }
      guard let match else {
        throw FormatError(
          .keyNotFound, subject: String(rest), found: list(entries.map(\.key), prefix: "keys "))
      }
      let siblings = entries.map(\.key).filter { !same($0, match.key) }
      choice = Choice(
        id: match.value, path: choice.path + [match.key], siblings: choice.siblings + siblings)
      rest = rest.dropFirst(match.key.count)
      if rest.first == "." { rest = rest.dropFirst() }
    }
    return try checked(choice)
  }

  private func matches(_ key: String, _ rest: Substring) -> Bool {
    !key.isEmpty && (same(key, String(rest)) || rest.hasPrefix(key + "."))
  }

  private func same(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
  }

  private func list(_ keys: [String], prefix: String) -> String {
    guard !keys.isEmpty else { return "" }
    let shown = keys.prefix(10).map { "'\($0.shortened(to: 40))'" }.joined(separator: ", ")
    return prefix + shown + (keys.count > 10 ? " and \(keys.count - 10) more" : "")
  }
}
