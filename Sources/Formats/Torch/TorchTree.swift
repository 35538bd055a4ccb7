import Support

/// Finds the tensors in what a pickle describes and gives them their names.
///
/// Nested mappings are joined with dots. Values that are no tensors are passed by; a tensor inside
/// an object that wt cannot look into is an error, because leaving it out would be silent loss.
struct TorchTree {
  typealias ID = PickleDocument.ID

  struct Result {
    var tensors: [TorchView] = []
    var notes: [String] = []
  }

  let document: PickleDocument
  let rebuild: TorchRebuild
  /// For every value whether a tensor lies in or below it.
  let holdsTensor: [Bool]

  init(_ document: PickleDocument) {
    self.document = document
    rebuild = TorchRebuild(document: document)
    holdsTensor = Self.presence(document, rebuild)
  }

  /// Lists the tensors below a value.
  ///
  /// - Throws: `FormatError` with a torch code.
  func tensors(below root: ID) throws -> Result {
    var result = Result()
    if rebuild.isTensor(root) {
      result.tensors = [try rebuild.view(root, name: "tensor")]
      return result
    }
    // Children go on the stack in reverse; nil marks the way back out of a container.
    var pending: [(id: ID, path: String, isExit: Bool)] = [(root, "", false)]
    var path: Set<ID> = []
    var visited = 0
    while let (id, name, isExit) = pending.popLast() {
      if isExit {
        path.remove(id)
        continue
      }
      guard holdsTensor[Int(id)] else { continue }
      visited += 1
      guard visited <= 4 * document.nodes.count else {
        throw FormatError(.nodeLimit, expected: "values that are not repeated without end")
      }
      if rebuild.isTensor(id) {
        guard result.tensors.count < Budgets.tensors else { throw FormatError(.tensorLimit) }
        result.tensors.append(try rebuild.view(id, name: TensorName(name)))
        continue
      }
      guard path.insert(id).inserted else {
        result.notes.append("'\(name.escapedForDisplay.shortened())' contains itself")
        continue
      }
      guard path.count <= Budgets.pickleDepth else { throw FormatError(.depthLimit) }
      pending.append((id, name, true))
      for (key, child) in try children(of: id, at: name).reversed() {
        pending.append((child, name.isEmpty ? key : name + "." + key, false))
      }
    }
    try checkDuplicates(result.tensors)
    return result
  }

  private func children(of id: ID, at name: String) throws -> [(key: String, value: ID)] {
    switch document.kind(id) {
    case .dict:
      return try document.pairs(id).compactMap { key, value in
        guard holdsTensor[Int(value)] else { return nil }
        guard key != id, let text = try self.key(key, holdsTensor: true) else { return nil }
        return (text, value)
      }
    case .list, .tuple:
      return document.children(id).enumerated().map { ("\($0.offset)", $0.element) }
    default:
      throw FormatError(
        .tensorInOpaqueObject, subject: name.isEmpty ? nil : name, found: describe(id),
        remedy: "save model.state_dict() instead of the object, or choose a part with --key")
    }
  }

  /// A key as part of a tensor's name.
  func key(_ id: ID, holdsTensor: Bool) throws -> String? {
    if let text = document.string(id) {
      guard text.utf8.count <= Budgets.tensorNameBytes, !text.utf8.contains(0) else {
        throw FormatError(.nameLimit, subject: text)
      }
      return text
    }
    if let number = document.integer(id) { return "\(number)" }
    guard document.kind(id) == .string else {
      guard holdsTensor else { return nil }
      throw FormatError(
        .badDictKey, expected: "a string as a tensor's name", found: "a \(document.kind(id))")
    }
    throw FormatError(
      .invalidUTF8, expected: "a tensor's name in UTF-8",
      found: String(decoding: document.rawBytes(id) ?? [], as: UTF8.self))
  }

  private func describe(_ id: ID) -> String {
    let type = document.children(id).first.flatMap(document.global)?.qualified
    return type.map { "an instance of \($0)" } ?? "a \(document.kind(id))"
  }

  private func checkDuplicates(_ tensors: [TorchView]) throws {
    var seen: Set<TensorName> = []
    for tensor in tensors where !seen.insert(tensor.info.name).inserted {
      throw FormatError(.duplicateName, subject: tensor.info.name)
    }
  }

  /// Marks every value that is a tensor or has one below it, children before parents, each once.
  private static func presence(_ document: PickleDocument, _ rebuild: TorchRebuild) -> [Bool] {
    var holds = [Bool](repeating: false, count: document.nodes.count)
    var seen = holds
    var pending: [(id: ID, isExit: Bool)] = [(document.root, false)]
    while let (id, isExit) = pending.popLast() {
      let place = Int(id)
      if isExit {
        holds[place] = document.children(id).contains { holds[Int($0)] }
      } else if !seen[place] {
        seen[place] = true
        if rebuild.isTensor(id) {
          holds[place] = true
        } else if document.nodes[place].isContainer {
          pending.append((id, true))
          pending += document.children(id).map { ($0, false) }
        }
      }
    }
    return holds
  }
}
