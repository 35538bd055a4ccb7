import PlainYAML
import Yams

/// Reads manifests from YAML, refusing every key that nothing reads.
struct ManifestReader {
  /// Manifests read before, which a later one may include.
  var known: [Manifest] = []

  /// - Throws: `SurgeryError` with code `badManifest`.
  func read(_ yaml: String, file: String) throws -> Manifest {
    do {
      guard let root = try PlainYAML.compose(yaml) else {
        throw SurgeryError(.badManifest, expected: "a mapping")
      }
      return try manifest(root)
    } catch var error as SurgeryError {
      error.file = error.file ?? file
      throw error
    } catch let error as YAMLFault {
      throw SurgeryError(.badManifest, file: file, found: "\(error)")
    }
  }

  private func manifest(_ root: Node) throws -> Manifest {
    let fields = try YAMLFields(
      root,
      allowed: [
        "family", "title", "include", "variants", "tensors", "optional", "sparse", "counts",
        "hyperparameters", "wrapping", "besides", "dialects",
      ])
    let variants = try fields.pairs("variants").map { ($0.key, try forms($0.value)) }
    let parts = try fields.texts("include").map(included) + variants.joinedParts
    let tensors =
      try fields.texts("include").map(included).flatMap(\.tensors) + ownTensors(fields)
      + variants.flatMap { name, forms in forms.flatMap { marked($0.parts, name, $0.form) } }
    let counts = try fields.pairs("counts").map { ($0.key, try scalarText($0.value)) }
    let hyperparameters = try fields.pairs("hyperparameters").map {
      (name: $0.key, value: try ratio(scalarText($0.value)))
    }
    return Manifest(
      family: try fields.required("family"), title: try fields.required("title"),
      tensors: tensors,
      variants: variants.map { Manifest.Variant(name: $0, forms: $1.map(\.form)) },
      counts: parts.reduce(into: [:]) { $0.merge($1.counts) { $1 } }.merging(counts) { $1 },
      hyperparameters: parts.flatMap(\.hyperparameters) + hyperparameters,
      wrapping: try fields.node("wrapping").map(wrapping),
      besides: try fields.texts("besides").map(included).flatMap(\.tensors).map(\.name),
      dialects: try dialects(fields, tensors))
  }

  private func ownTensors(_ fields: YAMLFields) throws -> [Manifest.Tensor] {
    let optional = Set(try fields.texts("optional"))
    let sparse = Set(try fields.texts("sparse"))
    return try fields.pairs("tensors").map { name, value in
      let template = try NameTemplate(name)
      return Manifest.Tensor(
        name: template, shape: try scalarTexts(value).map { try Extent($0) },
        isOptional: optional.contains(name),
        isSparse: !sparse.isDisjoint(with: template.symbols))
    }
  }

  fileprivate typealias Form = (form: String, parts: [Manifest])

  private func forms(_ node: Node) throws -> [Form] {
    try mappingPairs(node).map { ($0.key, try scalarTexts($0.value).map(included)) }
  }

  /// The tensors of parts, marked as those of one form of a variant.
  private func marked(
    _ parts: [Manifest], _ variant: String, _ form: String
  ) -> [Manifest.Tensor] {
    parts.flatMap(\.tensors).map { tensor in
      var tensor = tensor
      tensor.choice = Manifest.Choice(variant: variant, form: form)
      return tensor
    }
  }

  private func included(_ family: String) throws -> Manifest {
    guard let manifest = known.first(where: { $0.family == family }) else {
      throw SurgeryError(.badManifest, subject: family, expected: "a family read before")
    }
    return manifest
  }

  private func wrapping(_ node: Node) throws -> Manifest.Wrapping {
    let fields = try YAMLFields(node, allowed: ["path", "siblings"])
    return Manifest.Wrapping(path: try fields.texts("path"), siblings: try fields.texts("siblings"))
  }

  private func ratio(_ text: String) throws -> Manifest.Ratio {
    let parts = text.split(separator: "/").map { $0.filter { $0 != " " } }
    return Manifest.Ratio(
      numerator: try Extent(parts.first ?? ""),
      denominator: parts.count > 1 ? try Extent(parts[1]) : nil)
  }

  private func dialects(
    _ fields: YAMLFields, _ tensors: [Manifest.Tensor]
  ) throws -> [Manifest.Dialect] {
    let canonical = Manifest.Dialect(
      identifier: try fields.required("family"), title: "canonical names",
      aliases: tensors.map { [$0.name] })
    let others = try fields.pairs("dialects").map { try dialect($0.key, $0.value, tensors) }
    // Dialects are told apart by their identifiers.
    guard !others.contains(where: { $0.identifier == canonical.identifier }) else {
      throw SurgeryError(
        .badManifest, subject: canonical.identifier, expected: "another name than the family's")
    }
    return [canonical] + others
  }

  /// Derives a dialect's names: explicit ones where given, else the rules applied in order.
  private func dialect(
    _ identifier: String, _ node: Node, _ tensors: [Manifest.Tensor]
  ) throws -> Manifest.Dialect {
    let fields = try YAMLFields(node, allowed: ["title", "replace", "names"])
    let rules = try fields.pairs("replace").map {
      (Array($0.key.utf8), Array(try scalarText($0.value).utf8))
    }
    var explicit: [String: [String]] = [:]
    for (name, value) in try fields.pairs("names") { explicit[name] = try scalarTexts(value) }
    var unused = Set(explicit.keys)
    let aliases = try tensors.map { tensor in
      unused.remove(tensor.name.text)
      let names = explicit[tensor.name.text]
      return try (names ?? [replaced(tensor.name.text, rules)]).map { try NameTemplate($0) }
    }
    if let unused = unused.sorted().first {
      throw SurgeryError(.badManifest, subject: unused, expected: "a tensor of the family")
    }
    return Manifest.Dialect(
      identifier: identifier, title: try fields.required("title"), aliases: aliases)
  }

  private func replaced(_ name: String, _ rules: [([UInt8], [UInt8])]) -> String {
    let bytes = rules.reduce(Array(name.utf8)) { replacing($1.0, with: $1.1, in: $0) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Replaces every occurrence from left to right.
  ///
  /// On bytes: searching by characters took half of the time that reading the manifests takes.
  private func replacing(_ old: [UInt8], with new: [UInt8], in text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var place = 0
    while place < text.count {
      if text[place] == old.first, text[place...].starts(with: old) {
        result += new
        place += old.count
      } else {
        result.append(text[place])
        place += 1
      }
    }
    return result
  }
}

extension [(String, [ManifestReader.Form])] {
  fileprivate var joinedParts: [Manifest] { flatMap { $0.1.flatMap(\.parts) } }
}
