import Support

/// One key of a configuration: how it is read from text, checked, and written.
struct ConfigurationField: Sendable {
  typealias Configuration = TrainingConfiguration
  typealias Path<Value> = WritableKeyPath<TrainingConfiguration, Value> & Sendable

  let key: String
  /// Whether it changes what a run calculates, so that a run cannot go on with another value.
  var isCompared = true
  /// Sets it from texts: one, or any number for a list.
  let read: @Sendable (inout Configuration, [String]) throws(Refusal) -> Void
  let write: @Sendable (Configuration) -> JSON

  /// Why a text is no value of a field.
  struct Refusal: Error { var expected: String }

  /// A number in a range, whose ends are said to belong to it or not.
  static func number(
    _ key: String, _ path: Path<Double>, _ range: NumberRange
  ) -> ConfigurationField {
    ConfigurationField(
      key: key,
      read: { configuration, texts throws(Refusal) in
        configuration[keyPath: path] = try range.number(texts)
      }, write: { .double($0[keyPath: path]) })
  }

  /// A number that may be missing, spelled `none` or null.
  static func optionalNumber(
    _ key: String, _ path: Path<Double?>, _ range: NumberRange
  ) -> ConfigurationField {
    ConfigurationField(
      key: key,
      read: { configuration, texts throws(Refusal) in
        configuration[keyPath: path] = isNone(texts) ? nil : try range.number(texts)
      }, write: { $0[keyPath: path].map(JSON.double) ?? .null })
  }

  static func count(
    _ key: String, _ path: Path<Int>, _ range: ClosedRange<Int>, isCompared: Bool = true
  ) -> ConfigurationField {
    ConfigurationField(
      key: key, isCompared: isCompared,
      read: { configuration, texts throws(Refusal) in
        configuration[keyPath: path] = try whole(texts, range)
      }, write: { .int($0[keyPath: path]) })
  }

  static func optionalCount(
    _ key: String, _ path: Path<Int?>, _ range: ClosedRange<Int>
  ) -> ConfigurationField {
    ConfigurationField(
      key: key,
      read: { configuration, texts throws(Refusal) in
        configuration[keyPath: path] = isNone(texts) ? nil : try whole(texts, range)
      }, write: { $0[keyPath: path].map(JSON.int) ?? .null })
  }

  static func flag(_ key: String, _ path: Path<Bool>) -> ConfigurationField {
    ConfigurationField(
      key: key,
      read: { configuration, texts throws(Refusal) in
        guard texts.count == 1, let value = truth(texts[0]) else {
          throw Refusal(expected: "true or false")
        }
        configuration[keyPath: path] = value
      }, write: { .bool($0[keyPath: path]) })
  }

  static func choice<Value: RawRepresentable<String> & CaseIterable & Equatable & Sendable>(
    _ key: String, _ path: Path<Value>
  ) -> ConfigurationField {
    let choices = Value.allCases.map { (name: $0.rawValue, value: $0) }
    return ConfigurationField(
      key: key,
      read: { configuration, texts throws(Refusal) in
        guard let choice = choices.first(where: { [$0.name] == texts }) else {
          throw Refusal(expected: "one of \(choices.map(\.name).joined(separator: ", "))")
        }
        configuration[keyPath: path] = choice.value
      },
      write: { configuration in
        let value = configuration[keyPath: path]
        return choices.first { $0.value == value }.map { .string($0.name) } ?? .null
      })
  }

  static func seed(_ key: String, _ path: Path<UInt64>) -> ConfigurationField {
    ConfigurationField(
      key: key,
      read: { configuration, texts throws(Refusal) in
        guard texts.count == 1, let value = UInt64(texts[0]) else {
          throw Refusal(expected: "a whole number from 0 to 2⁶⁴ − 1")
        }
        configuration[keyPath: path] = value
      }, write: { .string("\($0[keyPath: path])") })
  }

  static func patterns(_ key: String, _ path: Path<[String]>) -> ConfigurationField {
    ConfigurationField(
      key: key,
      read: { configuration, texts throws(Refusal) in
        guard texts.count <= mostPatterns, texts.allSatisfy({ $0.utf8.count <= longestPattern })
        else {
          throw Refusal(
            expected: "at most \(mostPatterns) regular expressions of \(longestPattern) bytes")
        }
        // One without a character, such as an unset variable of a shell, would match every name.
        guard texts.allSatisfy({ !$0.isEmpty && (try? Regex($0)) != nil }) else {
          throw Refusal(expected: "regular expressions, none of them empty")
        }
        configuration[keyPath: path] = texts
      }, write: { .array($0[keyPath: path].map(JSON.string)) })
  }

  /// As YAML spells it, today and in its first edition.
  private static func truth(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "true", "yes", "on": true
    case "false", "no", "off": false
    default: nil
    }
  }

  private static func isNone(_ texts: [String]) -> Bool {
    texts.count == 1 && ["none", "null", "~", ""].contains(texts[0].lowercased())
  }

  /// Far more than anybody writes; each is held against every name.
  private static let mostPatterns = 256
  private static let longestPattern = 256

  private static func whole(_ texts: [String], _ range: ClosedRange<Int>) throws(Refusal) -> Int {
    guard texts.count == 1, let value = Int(texts[0]), range.contains(value) else {
      throw Refusal(expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }
}

/// The numbers that a field takes.
struct NumberRange: Sendable {
  let lower: Double
  let upper: Double
  var includesUpper = true

  static let part = NumberRange(lower: 0, upper: 1)
  /// As far as single precision tells it from one.
  static let partBelowOne = NumberRange(lower: 0, upper: 0.999_999)

  /// What is zero in single precision, in which is calculated, is none of them.
  static func positive(to upper: Double) -> NumberRange { NumberRange(lower: 1e-30, upper: upper) }

  func number(_ texts: [String]) throws(ConfigurationField.Refusal) -> Double {
    guard texts.count == 1, let value = Double(texts[0]), value >= lower, value <= upper,
      includesUpper || value < upper
    else {
      let end = includesUpper ? "to" : "to below"
      throw ConfigurationField.Refusal(expected: "a number from \(lower) \(end) \(upper)")
    }
    return value
  }
}
