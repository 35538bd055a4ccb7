import Support

/// One operation of a recipe: its name and arguments as they are written.
public struct RecipeStep: Sendable, Equatable {
  public enum Value: Sendable, Equatable {
    case scalar(String)
    case list([String])
  }

  public struct Argument: Sendable, Equatable {
    public var key: String
    public var value: Value
  }

  public var name: String
  public var arguments: [Argument]

  public init(_ name: String, _ arguments: [(String, Value?)] = []) {
    self.name = name
    self.arguments = arguments.compactMap { key, value in
      value.map { Argument(key: key, value: $0) }
    }
  }

  /// The step as an item of a YAML list.
  var yaml: String {
    guard !arguments.isEmpty else { return "- \(Self.quoted(name))" }
    let fields = arguments.map { argument in
      switch argument.value {
      case .scalar(let text): "\(Self.quoted(argument.key)): \(Self.quoted(text))"
      case .list(let items):
        "\(Self.quoted(argument.key)): [\(items.map(Self.quoted).joined(separator: ", "))]"
      }
    }
    return "- \(Self.quoted(name)): {\(fields.joined(separator: ", "))}"
  }

  /// Plain where every YAML reader takes it for the same text, else quoted as JSON, which YAML is a
  /// superset of.
  private static func quoted(_ text: String) -> String {
    let isPlain =
      !text.isEmpty
      && text.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
          || byte == 0x2E || byte == 0x5F || byte == 0x2D
      } && text.utf8.first != 0x2D
    return isPlain ? text : JSON.quoted(text)
  }
}

extension RecipeStep.Value {
  public static func number(_ value: Int?) -> Self? { value.map { .scalar("\($0)") } }
  public static func number(_ value: Double?) -> Self? { value.map { .scalar("\($0)") } }
  public static func text(_ value: String?) -> Self? { value.map { .scalar($0) } }
  public static func texts(_ value: [String]?) -> Self? { value.map { .list($0) } }
  public static func numbers(_ value: [Int]?) -> Self? { value.map { .list($0.map(String.init)) } }
}
