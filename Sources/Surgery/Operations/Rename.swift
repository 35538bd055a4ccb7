import Formats

/// Gives a model's tensors the names they have in another dialect of their family.
public struct Rename: Operation {
  public var family: String
  public var dialect: String

  public init(family: String, dialect: String) {
    self.family = family
    self.dialect = dialect
  }

  public func apply(to blueprint: inout Blueprint) throws {
    let recognition = try Recogniser().recognise(
      blueprint.entries.map(\.info), as: family, isCanonical: true)
    guard let manifest = recognition.manifest, recognition.report.isComplete else {
      throw SurgeryError(
        .schemaMismatch, expected: "the tensors of family '\(family)'",
        found: recognition.report.summary)
    }
    guard let dialect = manifest.dialects.first(where: { $0.identifier == dialect }) else {
      throw SurgeryError(
        .badOption, subject: self.dialect,
        expected: "one of \(manifest.dialects.map(\.identifier).joined(separator: ", "))")
    }
    let aliases = Aliases(manifest, dialect)
    blueprint.entries = blueprint.entries.flatMap { entry in
      aliases.names(of: entry.info.name).map { name in
        var entry = entry
        entry.info.name = name
        return entry
      }
    }
  }
}

/// Finds the names that a dialect has for canonical ones.
private struct Aliases {
  private let byShape: [String: [(canonical: NameTemplate, aliases: [NameTemplate])]]

  init(_ manifest: Manifest, _ dialect: Manifest.Dialect) {
    let pairs = zip(manifest.tensors, dialect.aliases).map { ($0.name, $1) }
    byShape = Dictionary(grouping: pairs) { $0.0.shape }
  }

  /// Several for a tensor that the dialect stores more than once.
  func names(of name: TensorName) -> [TensorName] {
    for (canonical, aliases) in byShape[NameTemplate.masked(name.text)] ?? [] {
      if let values = canonical.match(name) { return aliases.map { $0.name(values) } }
    }
    return [name]
  }
}
