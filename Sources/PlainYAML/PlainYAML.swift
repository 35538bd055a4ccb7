import Support
import Yams

/// Reads YAML that is no more than mappings with plain keys, lists and scalars.
///
/// Nothing of ours needs anchors, and a few hundred bytes of them stand for more than any memory
/// holds. The parser behind this hashes and compares keys before a reader sees them, so that what is
/// refused is refused here, event by event, before anything is put together.
public enum PlainYAML {
  /// Far more than any file of ours takes.
  public static let mostBytes = 4 << 20
  static let mostNodes = 1 << 18
  static let mostLevels = 32

  /// The root of a text's only document, nil of an empty text.
  ///
  /// - Throws: `YAMLFault`.
  public static func compose(_ text: String) throws -> Node? {
    guard text.utf8.count <= mostBytes else {
      throw YAMLFault("more than \(mostBytes) bytes", line: nil)
    }
    try PlainYAMLCheck(text).run()
    do {
      return try Yams.compose(yaml: text, .default, .default, .utf8)
    } catch let error as YamlError {
      throw YAMLFault(error)
    }
  }
}

/// Why a text cannot be read as YAML, on one short line.
public struct YAMLFault: Error, Equatable, CustomStringConvertible {
  public var problem: String
  /// From 1.
  public var line: Int?

  init(_ problem: String, line: Int?) {
    self.problem = problem.escapedForDisplay.shortened()
    self.line = line
  }

  /// What is left to find once the events are known to be sound.
  init(_ error: YamlError) {
    switch error {
    case .duplicatedKeysInMapping(let keys, let context):
      self.init("the key '\(keys.first ?? "")' stands twice in a mapping", line: context.mark.line)
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      self.init(problem, line: mark.line)
    case .reader(let problem, _, _, _): self.init(problem, line: nil)
    default: self.init("it cannot be read", line: nil)
    }
  }

  public var description: String { line.map { "line \($0): \(problem)" } ?? problem }
}
