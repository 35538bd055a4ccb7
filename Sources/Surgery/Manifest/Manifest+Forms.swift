import Formats

extension Manifest {
  /// The forms of the variants that a set of names has most of; the plainest one where several have
  /// as many.
  func forms(of names: MaskedNames, in dialect: Dialect) -> [Choice] {
    guard !variants.isEmpty else { return [] }
    var hits: [Choice: Int] = [:]
    for (tensor, aliases) in zip(tensors, dialect.aliases) {
      guard let choice = tensor.choice else { continue }
      for alias in aliases {
        hits[choice, default: 0] += names.places(like: alias).count {
          alias.match(names.names[$0]) != nil
        }
      }
    }
    return variants.compactMap { variant in
      let choices = variant.forms.map { Choice(variant: variant.name, form: $0) }
      return choices.dropFirst().reduce(choices.first) { best, choice in
        hits[choice, default: 0] > best.flatMap { hits[$0] } ?? 0 ? choice : best
      }
    }
  }

  /// The family with only the tensors of the chosen forms.
  func restricted(to choices: [Choice]) -> Manifest {
    guard !variants.isEmpty else { return self }
    let kept = tensors.indices.filter { index in
      tensors[index].choice.map(choices.contains) ?? true
    }
    var manifest = self
    manifest.tensors = kept.map { tensors[$0] }
    manifest.dialects = dialects.map { dialect in
      var dialect = dialect
      dialect.aliases = kept.map { dialect.aliases[$0] }
      return dialect
    }
    return manifest
  }
}
