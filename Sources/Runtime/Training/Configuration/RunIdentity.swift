import Formats
import Support

/// What a run is of: its configuration, and what else must be the same when it goes on.
public struct RunIdentity: Sendable {
  public struct Entry: Sendable {
    public var key: String
    public var value: JSON
    /// Whether a run can only go on with the same value.
    public var isCompared: Bool
  }

  public private(set) var entries: [Entry] = []

  public init(_ configuration: TrainingConfiguration) {
    entries = TrainingConfiguration.fields.map {
      Entry(key: $0.key, value: $0.write(configuration), isCompared: $0.isCompared)
    }
  }

  /// Adds a fact, such as the model's content hash.
  public mutating func add(_ key: String, _ value: JSON, isCompared: Bool = true) {
    precondition(!entries.contains { $0.key == key })
    entries.append(Entry(key: key, value: value, isCompared: isCompared))
  }

  /// One line for each entry, always spelled the same.
  var text: String { Self.text(entries) }

  /// The SHA-256 of what must stay the same.
  public var digest: String {
    var hash = ContentHash()
    hash.update(Self.text(entries.filter(\.isCompared)))
    return hash.hexDigest()
  }

  private static func text(_ entries: [Entry]) -> String {
    let lines = entries.map { "  \(JSON.quoted($0.key)): \($0.value.encoded())" }
    return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
  }

  /// Checks that what a run was begun with is the same.
  ///
  /// - Parameter bytes: of the run's `config.json`.
  /// - Throws: `TrainingError` with code `otherConfiguration`, naming what differs, or `badRun`.
  func check(_ bytes: [UInt8], file: String) throws {
    var stored: [(key: String, value: String)] = []
    do {
      var scanner = JSONScanner(bytes, base: 0)
      try scanner.object { scanner, key in stored.append((key, try scanner.literal())) }
      try scanner.expectEnd()
    } catch let error as FormatError {
      throw TrainingError(
        .badRun, file: file, expected: error.expected,
        found: "other bytes at \(error.offset ?? 0)")
    }
    let differences = differences(from: stored)
    guard let first = differences.first else { return }
    let others = differences.dropFirst().map { "'\($0.key)' \($0.found) instead of \($0.expected)" }
    let more = others.isEmpty ? "" : "; also \(others.prefix(9).joined(separator: ", "))"
    throw TrainingError(
      .otherConfiguration, file: file, subject: first.key, expected: first.expected,
      found: first.found + more,
      remedy: "give the options it was begun with, or another directory")
  }

  /// The keys whose values differ: what the run has, and what is asked for now.
  private func differences(
    from stored: [(key: String, value: String)]
  ) -> [(key: String, expected: String, found: String)] {
    let compared = entries.filter(\.isCompared)
    let changed = compared.compactMap { entry -> (String, String, String)? in
      let (now, then) = (
        entry.value.encoded(), stored.first { $0.key == entry.key }?.value ?? "nothing"
      )
      return now == then ? nil : (entry.key, then, now)
    }
    let known = Set(entries.map(\.key))
    return changed
      + stored.filter { !known.contains($0.key) }.map { ($0.key, $0.value, "nothing") }
  }
}
