import Support

/// What in a pickle is a tensor, and how to read its description.
protocol PickleTensors {
  associatedtype Tensor: DescribedTensor
  var document: PickleDocument { get }
  /// What a tensor is called that is not in any mapping.
  var nameOfLoneTensor: TensorName { get }
  /// What to do when a tensor lies in an object of unknown class.
  var remedyForObjects: String { get }

  /// Tells without looking at more than what makes the value.
  func presence(_ id: PickleDocument.ID) -> TensorPresence

  /// Describes the tensor that a value stands for.
  ///
  /// - Throws: `FormatError` naming the tensor.
  func tensor(_ id: PickleDocument.ID, name: TensorName) throws -> Tensor
}

/// Something that stands for a tensor.
protocol DescribedTensor {
  var info: TensorInfo { get }
}

enum TensorPresence: UInt8, Comparable {
  case none
  /// A single number, which is a tensor among tensors and inert in an object.
  case number
  case tensor

  static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Finds the tensors in what a pickle describes and gives them their names.
///
/// Nested mappings are joined with dots. Values that are no tensors are passed by; a tensor inside
/// an object that wt cannot look into is an error, because leaving it out would be silent loss.
struct PickleTree<Tensors: PickleTensors> {
  typealias ID = PickleDocument.ID

  struct Result {
    var tensors: [Tensors.Tensor] = []
    var notes: [String] = []
  }

  let tensors: Tensors
  /// For every value what lies in or below it.
  private let presence: [TensorPresence]

  var document: PickleDocument { tensors.document }

  init(_ tensors: Tensors) {
    self.tensors = tensors
    presence = Self.presence(tensors)
  }

  func isTensor(_ id: ID) -> Bool { tensors.presence(id) != .none }
  func holdsTensor(_ id: ID) -> Bool { presence[Int(id)] != .none }

  /// Lists the tensors below a value.
  ///
  /// - Throws: `FormatError` with a code of the tensors or the tree.
  func tensors(below root: ID) throws -> Result {
    var result = Result()
    if isTensor(root) {
      result.tensors = [try tensors.tensor(root, name: tensors.nameOfLoneTensor)]
      return result
    }
    // Children go on the stack in reverse; an exit marks the way back out of a container.
    var pending: [(id: ID, path: String, isExit: Bool)] = [(root, "", false)]
    var path: Set<ID> = []
    var (visited, links, nameBytes) = (0, 0, 0)
    while let (id, name, isExit) = pending.popLast() {
      if isExit {
        path.remove(id)
        continue
      }
      guard holdsTensor(id) else { continue }
      visited += 1
      // Whatever a container holds is gone through each time, be it a tensor or not.
      if !isTensor(id) { links += document.count(id) }
      guard visited <= 4 * document.nodes.count, links <= 4 * document.links.count else {
        throw FormatError(.nodeLimit, expected: "values that are not repeated without end")
      }
      guard name.utf8.count <= Budgets.tensorNameBytes else {
        throw FormatError(.nameLimit, subject: name)
      }
      if isTensor(id) {
        guard result.tensors.count < Budgets.tensors else { throw FormatError(.tensorLimit) }
        result.tensors.append(try tensors.tensor(id, name: TensorName(name)))
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
        // A long key above many short ones would otherwise be copied without end.
        nameBytes += name.utf8.count + key.utf8.count
        guard nameBytes <= Budgets.nameBytes else { throw FormatError(.nameLimit, subject: name) }
      }
    }
    try checkDuplicates(result.tensors)
    return result
  }

  private func children(of id: ID, at name: String) throws -> [(key: String, value: ID)] {
    switch document.kind(id) {
    case .dict:
      return try document.pairs(id).compactMap { key, value in
        guard holdsTensor(value), key != id else { return nil }
        return (try self.key(key), value)
      }
    case .list, .tuple:
      return document.children(id).enumerated().map { ("\($0.offset)", $0.element) }
    default:
      throw FormatError(
        .tensorInOpaqueObject, subject: name.isEmpty ? nil : name, found: describe(id),
        remedy: tensors.remedyForObjects)
    }
  }

  /// A key as part of a tensor's name.
  private func key(_ id: ID) throws -> String {
    if let text = document.string(id) {
      guard text.utf8.count <= Budgets.tensorNameBytes, !text.utf8.contains(0) else {
        throw FormatError(.nameLimit, subject: text)
      }
      return text
    }
    if let number = document.integer(id) { return "\(number)" }
    guard document.kind(id) == .string else {
      throw FormatError(
        .badDictKey, expected: "a string as a tensor's name", found: "a \(document.kind(id))")
    }
    guard let bytes = document.rawBytes(id) else { throw FormatError(.nameLimit) }
    throw FormatError(
      .invalidUTF8, expected: "a tensor's name in UTF-8",
      found: String(decoding: bytes, as: UTF8.self))
  }

  private func describe(_ id: ID) -> String {
    let type = document.children(id).first.flatMap(document.global)?.qualified
    return type.map { "an instance of \($0)" } ?? "a \(document.kind(id))"
  }

  private func checkDuplicates(_ tensors: [Tensors.Tensor]) throws {
    var seen: Set<TensorName> = []
    for tensor in tensors where !seen.insert(tensor.info.name).inserted {
      throw FormatError(.duplicateName, subject: tensor.info.name)
    }
  }

  /// Marks what each value is or has below it, children before parents, each once.
  private static func presence(_ tensors: Tensors) -> [TensorPresence] {
    let document = tensors.document
    var found = [TensorPresence](repeating: .none, count: document.nodes.count)
    var seen = [Bool](repeating: false, count: document.nodes.count)
    var pending: [(id: ID, isExit: Bool)] = [(document.root, false)]
    while let (id, isExit) = pending.popLast() {
      let place = Int(id)
      if isExit {
        let below = document.children(id).map { found[Int($0)] }.max() ?? .none
        let isOpaque = ![.dict, .list, .tuple].contains(document.kind(id))
        found[place] = isOpaque && below == .number ? .none : below
      } else if !seen[place] {
        seen[place] = true
        found[place] = tensors.presence(id)
        if found[place] == .none, document.nodes[place].isContainer {
          pending.append((id, true))
          pending += document.children(id).map { ($0, false) }
        }
      }
    }
    return found
  }
}
