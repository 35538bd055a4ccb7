import Formats

/// How a dataset describes itself in its file: attributes of text, one line a case.
///
/// Lines rather than a nest of groups, so that Python reads a column with `splitlines()`.
struct DatasetMetadata {
  static let format = "wt dataset 1"

  enum Key: String {
    case format = "wt.format"
    case version = "wt.version"
    case classNames = "wt.class_names"
    case normalisations = "wt.normalisations"
    case profile = "wt.profile"
    case names = "wt.cases"
    case splits = "wt.splits"
    case shapes = "wt.shapes"
    case spacings = "wt.spacings"
    case affines = "wt.affines"
    case sources = "wt.sources"
  }

  private let entries: CheckpointMetadata
  private let file: String

  init(_ entries: CheckpointMetadata, file: String) throws {
    self.entries = entries
    self.file = file
    guard entries[Key.format.rawValue] == Self.format else {
      throw DatasetError(
        .notADataset, file: file, expected: "'\(Self.format)' as \(Key.format.rawValue)",
        found: entries[Key.format.rawValue] ?? "none",
        remedy: "make one with wt prepare")
    }
  }

  /// The description, with cases whose extents are still to be read from the tensors.
  ///
  /// - Throws: `DatasetError` with code `badDataset`.
  func description() throws -> DatasetDescription {
    let names = try lines(.names)
    let columns = try [Key.splits, .shapes, .spacings, .affines, .sources, .normalisations].map {
      key in
      // A lone empty line is a line where there is one case.
      let column = try names.count == 1 ? [required(key)] : lines(key)
      guard column.count == names.count else {
        throw bad(key, "\(names.count) lines", "\(column.count)")
      }
      return column
    }
    let cases = try names.indices.map { place in
      DatasetCase(
        name: names[place], split: try word(columns[0][place], .splits), slices: 0, channels: 0,
        height: 0, width: 0, normalisation: try word(columns[5][place], .normalisations),
        geometry: try geometry(columns[1][place], columns[2][place], columns[3][place]),
        sources: try sources(columns[4][place]))
    }
    return DatasetDescription(
      classNames: try lines(.classNames), profile: try required(.profile), cases: cases)
  }

  private func word<Word: RawRepresentable & CaseIterable>(
    _ text: String, _ key: Key
  ) throws -> Word where Word.RawValue == String {
    guard let word = Word(rawValue: text) else {
      throw bad(key, Word.allCases.map(\.rawValue).joined(separator: ", "), text)
    }
    return word
  }

  /// The attributes of a dataset.
  static func entries(_ description: DatasetDescription, version: String) -> CheckpointMetadata {
    let cases = description.cases
    let columns: [(Key, String)] = [
      (.format, format), (.version, version),
      (.classNames, joined(description.classNames)),
      (.profile, description.profile),
      (.normalisations, joined(cases.map(\.normalisation.rawValue))),
      (.names, joined(cases.map(\.name))), (.splits, joined(cases.map(\.split.rawValue))),
      (.shapes, joined(cases.map { spaced($0.geometry.shape) })),
      (.spacings, joined(cases.map { spaced($0.geometry.spacing) })),
      (.affines, joined(cases.map { spaced($0.geometry.affine.rows.flatMap { $0 }) })),
      (
        .sources,
        joined(cases.map { $0.sources.map { "\($0.digest) \($0.name)" }.joined(separator: "\t") })
      ),
    ]
    return CheckpointMetadata(columns.map { .init(key: $0.0.rawValue, value: $0.1) })
  }

  private static func joined(_ lines: [String]) -> String { lines.joined(separator: "\n") }

  private static func spaced<Number>(_ numbers: [Number]) -> String {
    numbers.map { "\($0)" }.joined(separator: " ")
  }

  private func geometry(
    _ shape: String, _ spacing: String, _ affine: String
  ) throws -> DatasetGeometry {
    let extents = shape.split(separator: " ").compactMap { Int($0) }
    guard extents.count == 3, extents.allSatisfy({ $0 > 0 }) else {
      throw bad(.shapes, "three extents", shape)
    }
    let numbers = try reals(affine, 12, .affines)
    return DatasetGeometry(
      shape: extents, spacing: try reals(spacing, 3, .spacings),
      affine: Affine(rows: (0..<3).map { Array(numbers[4 * $0..<4 * $0 + 4]) }))
  }

  private func reals(_ text: String, _ count: Int, _ key: Key) throws -> [Double] {
    let numbers = text.split(separator: " ").compactMap { Double($0) }
    guard numbers.count == count, numbers.allSatisfy(\.isFinite) else {
      throw bad(key, "\(count) numbers", text)
    }
    return numbers
  }

  private func sources(_ line: String) throws -> [DatasetSource] {
    try line.split(separator: "\t").map { item in
      let parts = item.split(separator: " ", maxSplits: 1)
      guard parts.count == 2 else { throw bad(.sources, "a digest and a name", String(item)) }
      return DatasetSource(name: String(parts[1]), digest: String(parts[0]))
    }
  }

  private func required(_ key: Key) throws -> String {
    guard let text = entries[key.rawValue] else { throw bad(key, "an attribute", "none") }
    return text
  }

  private func lines(_ key: Key) throws -> [String] {
    let text = try required(key)
    return text.isEmpty
      ? [] : text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  private func bad(_ key: Key, _ expected: String, _ found: String) -> DatasetError {
    DatasetError(
      .badDataset, file: file, subject: key.rawValue, expected: expected,
      found: found.escapedForDisplay.shortened())
  }
}
