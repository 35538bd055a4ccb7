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
    /// The canonical name of each tensor that has one.
    var canonical: [Int: TensorName] = [:]
  }

  private let manifest: Manifest
  private let dialect: Manifest.Dialect
  private let tensors: [TensorInfo]
  private let names: [TensorName]
  private var match = Match()
  /// For each template, the tensors it names.
  private var found: [[(place: Int, values: [String: Int])]]

  static func match(
    _ manifest: Manifest, _ dialect: Manifest.Dialect, _ tensors: [TensorInfo],
    _ names: [TensorName]
  ) -> Match {
    var matcher = Matcher(manifest, dialect, tensors, names)
    matcher.assignNames()
    matcher.countIndices()
    matcher.checkShapes()
    matcher.findMissing()
    return matcher.match
  }

  private init(
    _ manifest: Manifest, _ dialect: Manifest.Dialect, _ tensors: [TensorInfo],
    _ names: [TensorName]
  ) {
    self.manifest = manifest
    self.dialect = dialect
    self.tensors = tensors
    self.names = names
    found = Array(repeating: [], count: manifest.tensors.count)
  }

  private mutating func assignNames() {
    var byShape: [String: [(template: Int, alias: NameTemplate)]] = [:]
    for (template, aliases) in dialect.aliases.enumerated() {
      for alias in aliases {
        byShape[NameTemplate.masked(alias.shape), default: []].append((template, alias))
      }
    }
    for (place, name) in names.enumerated() {
      let candidates = byShape[NameTemplate.masked(name.text)] ?? []
      let hit = candidates.lazy.compactMap { candidate in
        candidate.alias.match(name).map { (template: candidate.template, values: $0) }
      }.first
      guard let hit else {
        match.report.unused.append(name)
        continue
      }
      found[hit.template].append((place, hit.values))
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
    guard shape.count == extents.count else { return false }
    var symbols = match.symbols
    guard zip(shape, extents).allSatisfy({ $1.unify($0, &symbols) }) else { return false }
    match.symbols = symbols
    return true
  }

  private mutating func findMissing() {
    for (template, tensor) in manifest.tensors.enumerated() where !tensor.isOptional {
      let present = Set(found[template].map { tensor.name.name($0.values) })
      for name in expectedNames(tensor.name) {
        match.requiredCount += 1
        if !present.contains(name) { match.report.missing.append(name) }
      }
    }
  }

  /// Every name a template stands for, given how far its index counts.
  private func expectedNames(_ template: NameTemplate) -> [TensorName] {
    guard let symbol = template.symbols.first else { return [template.name([:])] }
    let count = manifest.counts[symbol].flatMap { match.symbols[$0] } ?? 1
    // An index far beyond the tensors there are is a stray name, not a depth.
    return (0..<min(count, tensors.count + 1)).map { template.name([symbol: $0]) }
  }
}
