/// A JSON value to be written: keys keep their order, floats read back exactly.
public enum JSON: Sendable, Equatable {
  case null
  case bool(Bool)
  case int(Int)
  /// Not-a-number and the infinities have no JSON and are written as `null`.
  case double(Double)
  case string(String)
  case array([JSON])
  case object([(key: String, value: JSON)])
  /// A value that is text already.
  case encoded(String)

  public static func == (left: JSON, right: JSON) -> Bool { left.encoded() == right.encoded() }

  /// The value as text, on one line.
  public func encoded() -> String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .int(let value): "\(value)"
    case .double(let value): value.isFinite ? "\(value)" : "null"
    case .string(let text): Self.quoted(text)
    case .encoded(let text): text
    case .array(let items): "[" + items.map { $0.encoded() }.joined(separator: ", ") + "]"
    case .object(let fields):
      "{"
        + fields.map { Self.quoted($0.key) + ": " + $0.value.encoded() }.joined(separator: ", ")
        + "}"
    }
  }

  /// The text in quotes, with what JSON forbids in a string escaped.
  public static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where !scalar.isSafeToPrint:
        for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
          let digits = String(unit, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
