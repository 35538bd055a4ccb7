import Formats
import Support

extension Blueprint {
  /// The place of the tensor of that name.
  func index(of name: TensorName) -> Int? {
    // By index: iterating over entries would copy each, origin and all.
    entries.indices.first { entries[$0].info.name == name }
  }

  subscript(_ name: TensorName) -> Entry? { index(of: name).map { entries[$0] } }

  /// The tensor of that name, which the family promises.
  ///
  /// - Throws: `SurgeryError` with code `wrongPairing`.
  func required(_ name: TensorName) throws -> Entry {
    guard let entry = self[name] else {
      throw SurgeryError(.wrongPairing, subject: name.text, found: "the model has no such tensor")
    }
    return entry
  }

  /// Reads the numbers that must be finite.
  ///
  /// - Throws: `SurgeryError` with code `notFinite`, naming a tensor that has others.
  func checkFinite() throws {
    let checked = entries.filter {
      finite.contains($0.info.name) && FloatCoder($0.info.dtype) != nil
    }
    try parallelFor(count: checked.count) { index in
      try FiniteCheck(checked[index].info)(checked[index].reader())
    }
  }

  /// Replaces the tensor of that entry's name, or adds it at the end.
  mutating func put(_ entry: Entry) {
    if let place = index(of: entry.info.name) {
      entries[place] = entry
    } else {
      entries.append(entry)
    }
  }

  /// Replaces the tensors of those names, and adds the others at the end.
  mutating func put(_ new: [Entry]) {
    var places: [TensorName: Int] = [:]
    for (place, entry) in entries.enumerated() { places[entry.info.name] = place }
    for entry in new {
      if let place = places[entry.info.name] {
        entries[place] = entry
      } else {
        places[entry.info.name] = entries.count
        entries.append(entry)
      }
    }
  }

  /// Removes all tensors whose names begin so.
  mutating func remove(prefix: String) {
    entries.removeAll { $0.info.name.text.hasPrefix(prefix) }
  }
}
