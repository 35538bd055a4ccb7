import Formats

/// Holds a checkpoint's tensors against one dialect of a family.
struct Matcher {
  /// What came of it.
  struct Match {
    var report = SurgeryReport()
    var symbols: [String: Int] = [:]
    /// For each canonical name the places of the tensors that bear it; several when it is stored
    /// more than once.
    var sources: [(name: TensorName, places: [Int])] = []
    var requiredCount = 0
    /// The family with the forms that the checkpoint has, and the dialect within it.
    var manifest: Manifest
    var dialect: Manifest.Dialect
    var choices: [Manifest.Choice] = []
    /// The canonical name of each tensor that has one.
    var canonical: [Int: TensorName] = [:]
  }

  private let manifest: Manifest
  private let dialect: Manifest.Dialect
  private let tensors: [TensorInfo]
  private let names: MaskedNames
  private var match: Match
  /// For each template, the tensors it names.
  private var found: [[(place: Int, values: [String: Int])]]

  /// - Parameter besides: names that are taken as they are, whatever their shapes.
  static func match(
    _ manifest: Manifest, _ dialect: Manifest.Dialect, _ tensors: [TensorInfo],
    _ names: MaskedNames, besides: [NameTemplate] = []
  ) -> Match {
    let choices = manifest.forms(of: names, in: dialect)
    let restricted = manifest.restricted(to: choices)
    // Restricting keeps every dialect.
    let place = manifest.dialects.firstIndex { $0.identifier == dialect.identifier } ?? 0
    var matcher = Matcher(restricted, restricted.dialects[place], tensors, names)
    matcher.match.choices = choices
    matcher.assignNames(besides: besides)
    matcher.countIndices()
    matcher.checkShapes()
    matcher.findMissing()
    return matcher.match
  }

  private init(
    _ manifest: Manifest, _ dialect: Manifest.Dialect, _ tensors: [TensorInfo],
    _ names: MaskedNames
  ) {
    self.manifest = manifest
    self.dialect = dialect
    self.tensors = tensors
    self.names = names
    match = Match(manifest: manifest, dialect: dialect)
    found = Array(repeating: [], count: manifest.tensors.count)
  }

  private mutating func assignNames(besides: [NameTemplate]) {
    var hits: [Int: (template: Int, values: [String: Int])] = [:]
    for (template, aliases) in dialect.aliases.enumerated() {
      for alias in aliases {
        for place in names.places(like: alias) where hits[place] == nil {
          hits[place] = alias.match(names.names[place]).map { (template, $0) }
        }
      }
    }
    for (place, name) in names.names.enumerated() {
      if let hit = hits[place] {
        found[hit.template].append((place, hit.values))
      } else if besides.contains(where: { $0.match(name) != nil }) {
        match.canonical[place] = name
        match.sources.append((name, [place]))
        match.report.applied.append(name)
      } else {
        match.report.unused.append(name)
      }
    }
  }

  /// Depth and the like: one more than the largest index that occurs.
  private mutating func countIndices() {
    for (index, symbol) in manifest.counts {
      let largest = found.joined().compactMap { $0.values[index] }.max()
      if let largest { match.symbols[symbol] = largest + 1 }
    }
  }

  private mutating func checkShapes() {
    for (template, hits) in found.enumerated() {
      let tensor = manifest.tensors[template]
      var sources: [TensorName: [Int]] = [:]
      for hit in hits {
        let name = tensor.name.name(hit.values)
        match.canonical[hit.place] = name
        if fits(tensors[hit.place].shape, tensor.shape) {
          sources[name, default: []].append(hit.place)
        } else {
          let expected = tensor.shape.map { $0.described(match.symbols) }
          match.report.mismatched.append(
            SurgeryReport.Mismatch(
              name: name, expected: "[\(expected.joined(separator: ", "))]",
              found: tensors[hit.place].shape))
        }
      }
      for (name, places) in sources.sorted(by: { $0.key < $1.key }) {
        match.sources.append((name, places))
        match.report.applied.append(name)
      }
    }
  }

  /// Whether a shape fits; only a shape that does binds symbols.
  private mutating func fits(_ shape: [Int], _ extents: [Extent]) -> Bool {
    // No layer has an empty weight, and what follows divides by extents.
    guard shape.count == extents.count, !shape.contains(0) else { return false }
    var symbols = match.symbols
    guard zip(shape, extents).allSatisfy({ $1.unify($0, &symbols) }) else { return false }
    match.symbols = symbols
    return true
  }

  private mutating func findMissing() {
    for (template, tensor) in manifest.tensors.enumerated() where !tensor.isOptional {
      let present = Set(found[template].map { tensor.name.name($0.values) })
      for name in expectedNames(tensor) {
        match.requiredCount += 1
        if !present.contains(name) { match.report.missing.append(name) }
      }
    }
  }

  /// Every name a template stands for, given how far its index counts.
  private func expectedNames(_ tensor: Manifest.Tensor) -> [TensorName] {
    guard let symbol = tensor.name.symbols.first else { return [tensor.name.name([:])] }
    if tensor.isSparse {
      return sparseValues(symbol, tensor.choice).map { tensor.name.name([symbol: $0]) }
    }
    let count = manifest.counts[symbol].flatMap { match.symbols[$0] } ?? 1
    // An index far beyond the tensors there are is a stray name, not a depth.
    return (0..<min(count, tensors.count + 1)).map { tensor.name.name([symbol: $0]) }
  }

  /// The values for which some tensor of a sparse part exists; all of the part's must exist there.
  private func sparseValues(_ symbol: String, _ choice: Manifest.Choice?) -> [Int] {
    let values = manifest.tensors.indices.flatMap { template in
      let tensor = manifest.tensors[template]
      guard tensor.isSparse, tensor.choice == choice else { return [Int]() }
      return found[template].compactMap { $0.values[symbol] }
    }
    return values.isEmpty ? [0] : Set(values).sorted()
  }
}
