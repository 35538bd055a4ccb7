import Formats

/// Keeps, permutes, merges and adds classes.
///
/// A class owns one mask token, one hyper-network and one output of the IoU head. What stays keeps its
/// bytes; several old classes become the mean of theirs; what is new is initialised. Token 0,
/// background, stays.
public struct SetClasses: Operation {
  public struct Class: Sendable, Equatable {
    public var name: String
    /// The old classes it comes from, by name or by number from 1; none for a new one.
    public var sources: [String]

    public init(name: String, sources: [String]) {
      self.name = name
      self.sources = sources
    }
  }

  public enum Change: Sendable, Equatable {
    /// The complete new list.
    case map([Class])
    /// Names of classes that come after those there are.
    case add([String])
  }

  public var change: Change
  public var seed: UInt64

  public init(_ change: Change, seed: UInt64) {
    self.change = change
    self.seed = seed
  }

  public func apply(to blueprint: inout Blueprint) throws {
    let model = try Architecture(blueprint)
    let (names, tokens) = try resolved(model)
    let old = try Heads(blueprint, model.decoder.maskTokens)
    for token in 0..<model.decoder.maskTokens {
      blueprint.remove(prefix: ModelNames.hyperNetwork(token) + ".")
    }
    let initialiser = Initialiser(seed: seed)
    for (token, sources) in tokens.enumerated() {
      blueprint.put(old.hyperNetwork(token, from: sources, initialiser))
    }
    for rows in old.rows { blueprint.put(try rows.gathered(tokens, initialiser)) }
    var metadata = ModelMetadata(blueprint.metadata)
    metadata[.classNames] = ClassNames.encode(names)
    blueprint.metadata = metadata.entries
  }

  /// The new names, and for each new token the old ones it comes from.
  private func resolved(_ model: Architecture) throws -> ([String], [[Int]]) {
    let known = model.classNames ?? (0..<max(0, model.classes)).map { "\($0 + 1)" }
    let (names, tokens): ([String], [[Int]])
    switch change {
    case .map(let classes):
      names = classes.map(\.name)
      tokens = try classes.map { try $0.sources.map { try Self.token(of: $0, among: known) } }
    case .add(let added):
      names = known + added
      // By place: a class may be called by another one's number.
      tokens = known.indices.map { [$0 + 1] } + added.map { _ in [] }
    }
    guard !names.isEmpty else {
      throw SurgeryError(.badOption, subject: "classes", expected: "at least one")
    }
    try ClassNames.check(names)
    return (names, [[0]] + tokens)
  }

  /// Names win over numbers, so that a class may be called 3.
  private static func token(of name: String, among known: [String]) throws -> Int {
    if let place = known.firstIndex(where: { TensorName($0) == TensorName(name) }) {
      return place + 1
    }
    if let number = Int(name), number > 0, number <= known.count { return number }
    throw SurgeryError(
      .badOption, subject: name,
      expected: "a class of the model: "
        + known.prefix(20).map { $0.escapedForDisplay.shortened(to: 40) }.joined(separator: ", "),
      found: "no such class")
  }
}

/// What belongs to mask tokens in a decoder.
private struct Heads {
  /// Tensors with one row a token.
  let rows: [TokenRows]
  private let hyperNetworks: [[Blueprint.Entry]]

  init(_ blueprint: Blueprint, _ tokens: Int) throws {
    let weight = try blueprint.required(TensorName(ModelNames.iouHead + ".2.weight"))
    let fanIn = weight.info.shape[1]
    rows = [
      TokenRows(tensor: try blueprint.required(ModelNames.maskTokens), fanIn: nil),
      TokenRows(tensor: weight, fanIn: fanIn),
      TokenRows(
        tensor: try blueprint.required(TensorName(ModelNames.iouHead + ".2.bias")), fanIn: fanIn),
    ]
    hyperNetworks = (0..<tokens).map { token in
      blueprint.entries.filter {
        $0.info.name.text.hasPrefix(ModelNames.hyperNetwork(token) + ".")
      }
    }
  }

  /// The tensors of one token's hyper-network.
  func hyperNetwork(
    _ token: Int, from sources: [Int], _ initialiser: Initialiser
  ) -> [Blueprint.Entry] {
    let template = hyperNetworks[sources.first ?? 0]
    return template.enumerated().map { place, old in
      let suffix = old.info.name.text.dropFirst(
        ModelNames.hyperNetwork(sources.first ?? 0).utf8.count)
      let name = TensorName(ModelNames.hyperNetwork(token) + suffix)
      var entry = old
      entry.info.name = name
      if sources.count > 1 {
        entry.origin = .computed(mean(of: sources.map { hyperNetworks[$0][place] }))
      } else if sources.isEmpty {
        let inputs = fanIn(of: template, layerOf: old)
        entry.origin = .initialised(.fanIn(inputs, seed: initialiser.seed, name))
      }
      return entry
    }
  }

  /// The inputs of the linear layer that a weight or a bias belongs to.
  private func fanIn(of layers: [Blueprint.Entry], layerOf entry: Blueprint.Entry) -> Int {
    let layer = entry.info.name.text.split(separator: ".").dropLast().joined(separator: ".")
    let weight = layers.first { $0.info.name.text == layer + ".weight" }
    return weight?.info.shape.last ?? 1
  }
}

/// A tensor with one row for each token.
private struct TokenRows: Sendable {
  var tensor: Blueprint.Entry
  /// For a linear layer's rows; nil for an embedding, which starts normally distributed.
  var fanIn: Int?

  func gathered(_ tokens: [[Int]], _ initialiser: Initialiser) throws -> Blueprint.Entry {
    _ = try FloatCoder(checking: tensor.info)
    let info = try TensorInfo(
      name: tensor.info.name, dtype: tensor.info.dtype,
      shape: [tokens.count] + tensor.info.shape.dropFirst())
    let start =
      fanIn.map { Initialisation.fanIn($0, seed: initialiser.seed, info.name) }
      ?? .normal(seed: initialiser.seed, info.name)
    let fresh = Blueprint.Entry(info: info, origin: .initialised(start))
    let computation = Computation("rows of classes", of: [tensor]) { info in
      BytesReader(try rows(tokens, fresh))
    }
    return Blueprint.Entry(info: info, origin: .computed(computation))
  }

  /// The new rows, of which those with one source are copied as bytes.
  private func rows(_ tokens: [[Int]], _ fresh: Blueprint.Entry) throws -> [UInt8] {
    let old = try tensor.bytes()
    var new = try fresh.bytes()
    let width = new.count / tokens.count
    let matrix = tokens.contains { $0.count > 1 } ? try Matrix(tensor) : nil
    for (token, sources) in tokens.enumerated() {
      let target = token * width..<(token + 1) * width
      if sources.count == 1 {
        new.replaceSubrange(target, with: old[sources[0] * width..<(sources[0] + 1) * width])
      } else if let matrix, !sources.isEmpty {
        new.replaceSubrange(target, with: mean(sources, matrix))
      }
    }
    return new
  }

  private func mean(_ sources: [Int], _ matrix: Matrix) -> [UInt8] {
    let means = (0..<matrix.columns).map { column in
      sources.reduce(0) { $0 + matrix[$1, column] } / Double(sources.count)
    }
    guard let coder = FloatCoder(tensor.info.dtype) else { preconditionFailure("checked above") }
    return [UInt8](unsafeUninitializedCapacity: means.count * coder.width) { buffer, count in
      count = means.count * coder.width
      means.withUnsafeBufferPointer {
        coder.encode($0, into: UnsafeMutableRawBufferPointer(buffer))
      }
    }
  }
}

/// Hands out bytes in memory.
private final class BytesReader: TensorReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let part = rest.prefix(buffer.count)
    buffer.copyBytes(from: part)
    rest = rest.dropFirst(part.count)
    return part.count
  }
}
