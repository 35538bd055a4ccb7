import Formats
import Support

/// The mean of several checkpoints of one form, tensor by tensor, in double precision.
public struct Average: Operation {
  /// The checkpoints besides the one the operation is applied to.
  public var others: [Blueprint]

  public init(with others: [Blueprint]) { self.others = others }

  public func apply(to blueprint: inout Blueprint) throws {
    guard !others.isEmpty else {
      throw SurgeryError(.badOption, subject: "average", expected: "two checkpoints or more")
    }
    let tables = try others.map { try table($0, like: blueprint) }
    let first = try Facts(blueprint)
    for other in others { try naming(other) { try first.check(other) } }
    forgetFactors(&blueprint)
    for place in blueprint.entries.indices {
      let entry = blueprint.entries[place]
      let inputs = [entry] + tables.compactMap { $0[entry.info.name] }
      for other in inputs.dropFirst() {
        guard other.info.shape == entry.info.shape, other.info.dtype == entry.info.dtype else {
          throw SurgeryError(
            .wrongPairing, subject: entry.info.name.text,
            expected: "\(entry.info.dtype.rawValue) \(entry.info.shape) as in the first",
            found: "\(other.info.dtype.rawValue) \(other.info.shape)")
        }
      }
      if FloatCoder(entry.info.dtype) != nil {
        blueprint.entries[place].origin = .computed(mean(of: inputs))
      }
    }
  }

  /// What was merged into a mean of several is no delta's factors, so none can be taken out of it.
  private func forgetFactors(_ blueprint: inout Blueprint) {
    var metadata = ModelMetadata(blueprint.metadata)
    let merged = others.map { ModelMetadata($0.metadata)[.mergedFactors] }
    guard merged.contains(where: { $0 != metadata[.mergedFactors] }) else { return }
    metadata[.mergedFactors] = "of several, averaged"
    blueprint.metadata = metadata.entries
  }

  private func table(
    _ other: Blueprint, like first: Blueprint
  ) throws -> [TensorName: Blueprint.Entry] {
    let table = Dictionary(other.entries.map { ($0.info.name, $0) }) { first, _ in first }
    let names = Set(first.entries.map(\.info.name))
    let missing = names.filter { table[$0] == nil }.sorted()
    let extra = table.keys.filter { !names.contains($0) }.sorted()
    guard let odd = missing.first ?? extra.first else { return table }
    throw SurgeryError(
      .wrongPairing, subject: odd.text, expected: "the same tensors in all",
      found: "\(missing.count) missing and \(extra.count) more than in the first")
  }
}

/// What the numbers of a model mean beyond their shapes: a mean of what means different things means
/// nothing.
private struct Facts {
  private let list: [(key: ModelMetadata.Key, value: String)]

  init(_ blueprint: Blueprint) throws {
    let (model, metadata) = (try Architecture(blueprint), ModelMetadata(blueprint.metadata))
    let shown = { (value: Any?) in value.map { "\($0)" } ?? "" }
    list = [
      (.factorScale, shown(model.factors?.scale)), (.factorBlocks, shown(model.factors?.blocks)),
      (.imageSize, shown(model.imageSize)), (.slices, shown(model.slices)),
      (.classNames, shown(model.classNames)), (.globalBlocks, shown(model.encoder?.globalBlocks)),
      (.merged, shown(model.merged)), (.mergedScale, shown(try metadata.mergedScale)),
      (.base, shown(model.base)), (.profile, shown(metadata[.profile])),
    ]
  }

  /// - Throws: `SurgeryError` with code `wrongPairing`, naming the first fact that differs.
  func check(_ other: Blueprint) throws {
    for (own, theirs) in zip(list, try Facts(other).list) where own.value != theirs.value {
      throw SurgeryError(
        .wrongPairing, subject: own.key.rawValue,
        expected: Self.shown(own.value) + ", as in the first", found: Self.shown(theirs.value))
    }
  }

  private static func shown(_ value: String) -> String {
    value.isEmpty ? "nothing" : "'\(value.escapedForDisplay.shortened())'"
  }
}

/// The mean of tensors of one shape and type.
func mean(of inputs: [Blueprint.Entry]) -> Computation {
  Computation("mean of \(inputs.count)", of: inputs) { info in
    let sources = try inputs.map { try NumberSource($0) }
    var addend = [Double](repeating: 0, count: NumberReader.defaultPiece)
    return NumberReader(info) { range, numbers in
      try sources[0].read(into: numbers)
      for source in sources.dropFirst() {
        try addend.withUnsafeMutableBufferPointer { addend in
          let part = UnsafeMutableBufferPointer(rebasing: addend[..<range.count])
          try source.read(into: part)
          for index in part.indices { numbers[index] += part[index] }
        }
      }
      for index in numbers.indices { numbers[index] /= Double(sources.count) }
      try checkFinite(numbers, info, from: range.lowerBound)
    }
  }
}
