import Formats
import PlainYAML
import Yams

/// Reads a profile from YAML, refusing every key that nothing reads.
struct ProfileReader {
  private let file: String?

  init(file: String?) { self.file = file }

  /// - Throws: `DatasetError` with code `badProfile`.
  func read(_ yaml: String) throws -> Profile {
    do {
      guard let root = try PlainYAML.compose(yaml) else { throw bad(nil, "a mapping", "nothing") }
      return try profile(root)
    } catch let error as YAMLFault {
      throw DatasetError(.badProfile, file: file, found: "\(error)")
    }
  }

  private func profile(_ root: Node) throws -> Profile {
    let fields = try fields(
      root, "profile",
      [
        "name", "intensity", "orientation", "size", "classes", "labels", "colours", "others",
        "split", "folds",
      ])
    let names = try fields["classes"].map { try texts($0, "classes") } ?? []
    guard names.count <= 254, Set(names.map { TensorName($0) }).count == names.count,
      names.allSatisfy({ !$0.isEmpty && !$0.utf8.contains(10) })
    else { throw bad("classes", "at most 254 different names", "\(names.count)") }
    var profile = Profile(
      name: try fields["name"].map { try text($0, "name") } ?? "unnamed", intensity: [],
      orientation: try choice(fields["orientation"], "orientation"), classNames: names)
    guard let intensity = fields["intensity"] else { throw bad("intensity", "rules", "none") }
    profile.intensity = try (intensity.sequence.map(Array.init) ?? [intensity]).map(variant)
    guard !profile.intensity.isEmpty else { throw bad("intensity", "rules", "none") }
    if let size = fields["size"] {
      let side = try integer(size, "size")
      guard (1...8192).contains(side) else { throw bad("size", "1 to 8192 pixels", "\(side)") }
      profile.size = side
    }
    profile.labels = try labels(fields, classes: names.count)
    profile.splits = try splits(fields)
    return profile
  }

  private func variant(_ node: Node) throws -> Profile.Variant {
    let fields = try fields(
      node, "intensity", ["numbers", "clip", "percentiles", "normalise"])
    var rule = IntensityRule(normalise: try choice(fields["normalise"], "normalise"))
    if let node = fields["clip"] { rule.clip = try limits(node, "clip") }
    if let node = fields["percentiles"] {
      rule.percentiles = try limits(node, "percentiles")
      for part in [rule.percentiles.lower, rule.percentiles.upper].compactMap({ $0 })
      where !(0...100).contains(part) { throw bad("percentiles", "0 to 100", "\(part)") }
    }
    guard let numbers = fields["numbers"] else { return Profile.Variant(rule: rule) }
    let words = try texts(numbers, "numbers")
    let ends = words.compactMap { Int($0) }
    guard words.count == 2, ends.count == 2, ends[0] <= ends[1] else {
      throw bad("numbers", "the first and the last", words.joined(separator: ", "))
    }
    return Profile.Variant(numbers: ends[0]...ends[1], rule: rule)
  }

  /// Two numbers, of which either may be `null`.
  private func limits(_ node: Node, _ key: String) throws -> IntensityRule.Limits {
    let parts = try texts(node, key)
    let numbers = try parts.map { text -> Double? in
      if ["null", "~", ""].contains(text) { return nil }
      guard let number = Double(text), number.isFinite else { throw bad(key, "a number", text) }
      return number
    }
    guard numbers.count == 2, (numbers[0] ?? -.infinity) < (numbers[1] ?? .infinity) else {
      throw bad(key, "a lower and a larger upper limit", "\(parts)")
    }
    return IntensityRule.Limits(lower: numbers[0], upper: numbers[1])
  }

  private func labels(_ fields: [String: Node], classes: Int) throws -> LabelMap {
    var map = LabelMap([:])
    let check = { (key: String, node: Node) throws -> UInt8 in
      let number = try integer(node, key)
      guard (0...classes).contains(number) else {
        throw bad(key, "a class from 0 to \(classes)", "\(number)")
      }
      return UInt8(number)
    }
    for (key, node) in try fields["labels"].map({ try pairs($0, "labels") }) ?? [] {
      guard let label = Int(key), (0...65_535).contains(label) else {
        throw bad("labels", "labels from 0 to 65535", key)
      }
      guard map.classes[label] == nil else { throw bad("labels", "each label once", key) }
      map.classes[label] = try check("labels", node)
    }
    for (key, node) in try fields["colours"].map({ try pairs($0, "colours") }) ?? [] {
      let words = key.split(separator: ",", omittingEmptySubsequences: false)
      let parts = words.compactMap { UInt8($0) }
      guard words.count == 3, parts.count == 3 else { throw bad("colours", "red,green,blue", key) }
      let label = LabelMap.label(of: RGBColour(parts[0], parts[1], parts[2]))
      guard map.classes[label] == nil else { throw bad("colours", "each colour once", key) }
      map.classes[label] = try check("colours", node)
    }
    if map.classes.isEmpty {
      for label in 0...classes { map.classes[label] = UInt8(label) }
    }
    map.others = try fields["others"].map { try check("others", $0) }
    return map
  }

  private func splits(_ fields: [String: Node]) throws -> [SplitRule] {
    guard fields["split"] == nil || fields["folds"] == nil else {
      throw bad("folds", "either 'split' or 'folds'", "both")
    }
    if let folds = fields["folds"] {
      guard let folds = folds.sequence, !folds.isEmpty else {
        throw bad("folds", "a list of splits", "none")
      }
      return try folds.map(split)
    }
    return [try fields["split"].map(split) ?? SplitRule()]
  }

  private func split(_ node: Node) throws -> SplitRule {
    let names = DatasetSplit.allCases.map(\.rawValue)
    let fields = try fields(node, "split", ["all", "ratio", "seed"] + names)
    var rule = SplitRule()
    if let all = fields["all"] { rule.rest = try choice(all, "all") }
    for split in DatasetSplit.allCases {
      guard let list = fields[split.rawValue] else { continue }
      rule.lists.append((split, try texts(list, split.rawValue).map { SplitRule.Item($0) }))
    }
    if let seed = fields["seed"] { rule.seed = UInt64(clamping: try integer(seed, "seed")) }
    for (key, node) in try fields["ratio"].map({ try pairs($0, "ratio") }) ?? [] {
      guard let split = DatasetSplit(rawValue: key), split != .train,
        let part = Double(try text(node, "ratio")), (0...1).contains(part)
      else { throw bad("ratio", "parts from 0 to 1 of validation and test", key) }
      rule.parts.append((split, part))
    }
    guard rule.parts.reduce(0, { $0 + $1.part }) <= 1 else {
      throw bad("ratio", "parts of at most 1 together", "more")
    }
    return rule
  }

  private func choice<Choice: RawRepresentable & CaseIterable>(
    _ node: Node?, _ key: String
  ) throws -> Choice where Choice.RawValue == String {
    let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
    guard let node else { throw bad(key, "one of \(words)", "none") }
    let word = try text(node, key)
    guard let choice = Choice(rawValue: word) else { throw bad(key, "one of \(words)", word) }
    return choice
  }

  private func fields(
    _ node: Node, _ subject: String, _ allowed: [String]
  ) throws -> [String: Node] {
    var fields: [String: Node] = [:]
    for (key, value) in try pairs(node, subject) {
      guard allowed.contains(key) else {
        throw bad(key, "one of \(allowed.joined(separator: ", "))", nil)
      }
      fields[key] = value
    }
    return fields
  }

  private func pairs(_ node: Node, _ subject: String) throws -> [(String, Node)] {
    guard let mapping = node.mapping else { throw bad(subject, "a mapping", nil) }
    var seen: Set<TensorName> = []
    return try mapping.map { key, value in
      let key = try text(key, subject)
      guard seen.insert(TensorName(key)).inserted else { throw bad(key, "each key once", nil) }
      return (key, value)
    }
  }

  private func integer(_ node: Node, _ key: String) throws -> Int {
    let text = try text(node, key)
    guard let number = Int(text) else { throw bad(key, "a whole number", text) }
    return number
  }

  private func text(_ node: Node, _ key: String) throws -> String {
    guard let scalar = node.scalar else { throw bad(key, "a scalar", nil) }
    return scalar.string
  }

  private func texts(_ node: Node, _ key: String) throws -> [String] {
    guard let sequence = node.sequence else { throw bad(key, "a list", nil) }
    return try sequence.map { try text($0, key) }
  }

  private func bad(_ key: String?, _ expected: String, _ found: String?) -> DatasetError {
    DatasetError(
      .badProfile, file: file, subject: key, expected: expected,
      found: found?.escapedForDisplay.shortened())
  }
}

extension Profile {
  /// Reads a profile, or what a model carries of one.
  ///
  /// - Throws: `DatasetError` with code `badProfile`.
  public init(yaml: String, file: String?) throws {
    self = try ProfileReader(file: file).read(yaml)
  }
}
