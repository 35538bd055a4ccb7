/// Makes text from a file safe to print: no control, direction or terminal sequence survives.
extension StringProtocol {
  /// The text with control, format, surrogate, private and line-separating scalars as `\u{…}`.
  public var escapedForDisplay: String {
    var result = ""
    for scalar in unicodeScalars {
      if scalar.isSafeToPrint {
        result.unicodeScalars.append(scalar)
      } else {
        result += "\\u{" + String(scalar.value, radix: 16) + "}"
      }
    }
    return result
  }
}

extension StringProtocol {
  /// The text as HTML shows it: neither markup nor anything that `escapedForDisplay` removes.
  public var htmlEscaped: String {
    var result = ""
    for character in escapedForDisplay {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
    return result
  }
}

extension Unicode.Scalar {
  /// Whether a terminal shows it and does nothing else.
  var isSafeToPrint: Bool {
    if value < 0x7F { return value >= 0x20 }
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator:
      return false
    default:
      return true
    }
  }
}

extension String {
  /// The text cut to `limit` characters, so that a name of a megabyte stays one line.
  public func shortened(to limit: Int = 160) -> String {
    guard utf8.count > limit, count > limit else { return self }
    return prefix(limit - 1) + "…"
  }
}
