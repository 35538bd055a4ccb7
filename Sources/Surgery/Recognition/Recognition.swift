import Formats
import Support

/// What a checkpoint turned out to be.
public struct Recognition: Sendable {
  /// The family's manifest, or nil when none fits.
  public var manifest: Manifest?
  public var dialect: Manifest.Dialect?
  /// The forms that the family's variants have here.
  public var choices: [Manifest.Choice] = []
  /// The prefix that all names shared and lost.
  public var prefix = ""
  public var report = SurgeryReport()
  public var symbols: [String: Int] = [:]
  /// What to write: names and the places of the tensors that hold the bytes, equal ones together.
  public var sources: [(name: TensorName, places: [Int])] = []
  /// The family that came closest when none fits, and how far it was.
  public var closest: (family: String, report: SurgeryReport)?
  /// Sizes that follow from the shapes.
  public var hyperparameters: [(name: String, value: Int)] = []
}

/// Finds out which family a checkpoint belongs to.
public struct Recogniser: Sendable {
  private let families: [Manifest]

  /// A file that matches this share of a family's names is meant to be of the family.
  private static let likeness = 0.9

  public init(families: [Manifest]) { self.families = families }

  public init() throws { families = try ManifestLibrary.families() }

  /// Recognises a checkpoint by its names and shapes.
  ///
  /// - Parameters:
  ///   - family: the family that it must be, or `none` to keep its own names.
  ///   - isCanonical: whether the names are known to be canonical ones.
  /// - Throws: `SurgeryError` with code `unknownFamily`, `schemaMismatch` or `nameCollision`.
  public func recognise(
    _ tensors: [TensorInfo], in surroundings: CheckpointSurroundings = CheckpointSurroundings(),
    as family: String? = nil, isCanonical: Bool = false
  ) throws -> Recognition {
    let (names, prefix) = try PrefixStripping.strip(tensors.map(\.name))
    var recognition = Recognition()
    recognition.prefix = prefix
    recognition.sources = names.enumerated().map { ($0.element, [$0.offset]) }
    if family == "none" { return recognition }
    var candidates = try candidates(family, surroundings)
    if isCanonical { candidates.removeAll { $0.dialect.identifier != $0.manifest.family } }
    let masked = MaskedNames(names)
    let matches = candidates.map {
      Matcher.match(
        $0.manifest, $0.dialect, tensors, masked,
        besides: $0.manifest.family == family ? $0.manifest.besides : [])
    }
    let best = matches.indices.max { likeness(matches[$0]) < likeness(matches[$1]) }
    guard let best, family != nil || likeness(matches[best]) > 0 else { return recognition }
    let match = matches[best]
    guard family != nil || likeness(match) >= Self.likeness else {
      recognition.closest = (candidates[best].manifest.family, match.report)
      return recognition
    }
    complete(&recognition, match)
    return recognition
  }

  /// Recognises a checkpoint, which may say itself what it is.
  ///
  /// - Throws: as for its tensors.
  public func recognise(
    _ checkpoint: any Checkpoint, as family: String? = nil
  ) throws -> Recognition {
    try recognise(
      checkpoint.tensors, in: checkpoint.surroundings, as: family ?? stated(checkpoint.metadata))
  }

  /// The family that metadata states, where names do not tell: files of it may hold other tensors.
  func stated(_ metadata: CheckpointMetadata) -> String? {
    guard let stated = ModelMetadata(metadata)[.family] else { return nil }
    return families.first { $0.family == stated && !$0.besides.isEmpty }?.family
  }

  private typealias Candidate = (manifest: Manifest, dialect: Manifest.Dialect)

  private func candidates(
    _ family: String?, _ surroundings: CheckpointSurroundings
  ) throws -> [Candidate] {
    let wanted = families.filter { family == nil || $0.family == family }
    guard !wanted.isEmpty else {
      throw SurgeryError(
        .unknownFamily, subject: family,
        expected: "one of \(families.map(\.family).joined(separator: ", ")) or none")
    }
    let fitting = wanted.filter { manifest in
      guard family == nil, let wrapping = manifest.wrapping else { return true }
      return wrapping.path == surroundings.wrapper
        && wrapping.siblings.allSatisfy(surroundings.siblings.contains)
    }
    // `max` keeps the first of equals, and stricter families come first.
    return fitting.flatMap { manifest in manifest.dialects.map { (manifest, $0) } }
  }

  /// The smaller of two shares: of the family's names that are there, and of the file's that fit.
  private func likeness(_ match: Matcher.Match) -> Double {
    let total = match.canonical.count + match.report.unused.count
    guard total > 0, match.requiredCount > 0 else { return 0 }
    let present = Double(match.requiredCount - match.report.missing.count)
    return min(
      present / Double(match.requiredCount), Double(match.canonical.count) / Double(total))
  }

  private func complete(
    _ recognition: inout Recognition, _ match: Matcher.Match
  ) {
    recognition.manifest = match.manifest
    recognition.dialect = match.dialect
    recognition.choices = match.choices
    recognition.report = match.report
    recognition.symbols = match.symbols
    recognition.sources = match.sources
    for parameter in match.manifest.hyperparameters {
      guard !recognition.hyperparameters.contains(where: { $0.name == parameter.name }),
        let value = parameter.value.value(match.symbols)
      else { continue }
      recognition.hyperparameters.append((parameter.name, value))
    }
  }
}

extension Recognition {
  /// The hyper-parameters with those that need no manifest entry: image size, window, classes.
  public var sizes: [(name: String, value: Int)] {
    var sizes = hyperparameters
    if let grid = symbols["g"], let patch = symbols["p"] {
      sizes.append(("image_size", grid * patch))
    }
    return sizes
  }
}

extension Recognition {
  /// The place of every tensor by its canonical name, or its own where it has none.
  public func allNames(_ tensors: [TensorInfo]) -> [TensorName: Int] {
    var names: [TensorName: Int] = [:]
    var used: Set<Int> = []
    for (name, places) in sources {
      names[name] = places.first
      used.formUnion(places)
    }
    for (place, tensor) in tensors.enumerated() where !used.contains(place) {
      names[tensor.name] = place
    }
    return names
  }

  /// The form that a variant of the family has, nil when the family has no such variant.
  public func form(of variant: String) -> String? {
    choices.first { $0.variant == variant }?.form
  }

  /// Whether MA-SAM's training changes a tensor: factors, adapters, prompt encoder and decoder.
  public func isTrainable(_ name: TensorName) -> Bool {
    let text = name.text
    return text.contains("FacT") || text.contains("adapter") || text.contains("lora")
      || text.hasPrefix("w_a_") || text.hasPrefix("w_b_")
      || text.contains("prompt_encoder") || text.contains("mask_decoder")
  }
}
