import Yams

/// A YAML mapping whose keys have been checked.
struct YAMLFields {
  private let mapping: [(key: String, value: Node)]
  private let code: SurgeryError.Code

  /// - Throws: `SurgeryError` with the given code when a key is not allowed or occurs twice.
  init(
    _ node: Node, allowed: Set<String>, orElse code: SurgeryError.Code = .badManifest
  ) throws {
    self.code = code
    mapping = try mappingPairs(node, orElse: code)
    for (key, _) in mapping where !allowed.contains(key) {
      throw SurgeryError(
        code, subject: key, expected: "one of \(allowed.sorted().joined(separator: ", "))")
    }
  }

  func node(_ key: String) -> Node? { mapping.first { $0.key == key }?.value }

  func text(_ key: String) throws -> String? {
    try node(key).map { try scalarText($0, orElse: code) }
  }

  func texts(_ key: String) throws -> [String] {
    try node(key).map { try scalarTexts($0, orElse: code) } ?? []
  }

  func pairs(_ key: String) throws -> [(key: String, value: Node)] {
    try node(key).map { try mappingPairs($0, orElse: code) } ?? []
  }

  func required(_ key: String) throws -> String {
    guard let value = try text(key) else {
      throw SurgeryError(code, subject: key, expected: "a value")
    }
    return value
  }
}

func scalarText(_ node: Node, orElse code: SurgeryError.Code = .badManifest) throws -> String {
  guard let scalar = node.scalar else { throw SurgeryError(code, expected: "a scalar") }
  return scalar.string
}

func scalarTexts(_ node: Node, orElse code: SurgeryError.Code = .badManifest) throws -> [String] {
  guard let sequence = node.sequence else { throw SurgeryError(code, expected: "a sequence") }
  return try sequence.map { try scalarText($0, orElse: code) }
}

func mappingPairs(
  _ node: Node, orElse code: SurgeryError.Code = .badManifest
) throws -> [(key: String, value: Node)] {
  guard let mapping = node.mapping else { throw SurgeryError(code, expected: "a mapping") }
  var seen: Set<String> = []
  return try mapping.map { key, value in
    let key = try scalarText(key, orElse: code)
    guard seen.insert(key).inserted else {
      throw SurgeryError(code, subject: key, expected: "each key once")
    }
    return (key, value)
  }
}
