import Support

/// A part of what a pickle describes.
struct PicklePart {
  var id: PickleDocument.ID
  /// The keys that lead to it.
  var path: [String] = []
  /// The keys beside it, on every level.
  var siblings: [String] = []
}

/// Ways down into a pickle by the keys of its dictionaries.
extension PickleTree {
  /// The values of a dictionary whose keys are text or numbers; none for anything else.
  func entries(_ id: ID) -> [(key: String, value: ID)] {
    guard document.kind(id) == .dict else { return [] }
    return document.pairs(id).compactMap { key, value in
      (document.string(key) ?? document.integer(key).map(String.init)).map { ($0, value) }
    }
  }

  /// Walks a dotted path, in which a key may itself hold dots.
  ///
  /// - Throws: `FormatError` with code `keyNotFound`.
  func part(at path: String) throws -> PicklePart {
    var part = PicklePart(id: document.root)
    var rest = path[...]
    while !rest.isEmpty {
      let entries = entries(part.id)
      let match = entries.filter { leads($0.key, to: rest) }.max { $0.key.count < $1.key.count }
      guard let match else {
        throw FormatError(
          .keyNotFound, subject: String(rest), found: list(entries.map(\.key), prefix: "keys "))
      }
      part = step(from: part, to: match)
      rest = rest.dropFirst(match.key.count)
      if rest.first == "." { rest = rest.dropFirst() }
    }
    return part
  }

  /// One step down, by an entry of the part's own dictionary.
  func step(from part: PicklePart, to entry: (key: String, value: ID)) -> PicklePart {
    let siblings = entries(part.id).map(\.key).filter { !same($0, entry.key) }
    return PicklePart(
      id: entry.value, path: part.path + [entry.key], siblings: part.siblings + siblings)
  }

  /// Checks that there is a tensor in a part.
  ///
  /// - Throws: `FormatError` with code `noTensors`.
  func checked(_ part: PicklePart, expected: String) throws -> PicklePart {
    // A dictionary without a single entry is a model all the same.
    let isEmpty = document.kind(part.id) == .dict && document.children(part.id).isEmpty
    guard holdsTensor(part.id) || (isEmpty && part.path.isEmpty) else {
      throw FormatError(
        .noTensors, expected: expected,
        found: "a \(document.kind(part.id))"
          + list(entries(part.id).map(\.key), prefix: " with keys "))
    }
    return part
  }

  private func leads(_ key: String, to rest: Substring) -> Bool {
    !key.isEmpty && (same(key, String(rest)) || rest.hasPrefix(key + "."))
  }

  func same(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

  /// The first keys of many, for a message.
  func list(_ keys: [String], prefix: String) -> String {
    guard !keys.isEmpty else { return "" }
    return prefix + keys.lazy.map { "'\($0.shortened(to: 40))'" }.firstTen
  }
}
