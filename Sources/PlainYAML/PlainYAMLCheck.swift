import CYaml

/// Looks at every event of a YAML text and refuses what no file of ours holds.
struct PlainYAMLCheck {
  private let text: String
  private var nodes = 0
  private var levels: [Level] = []

  private enum Level { case list, key, value }

  init(_ text: String) { self.text = text }

  /// - Throws: `YAMLFault`.
  func run() throws {
    var check = self
    var text = self.text
    var parser = yaml_parser_t()
    guard yaml_parser_initialize(&parser) == 1 else { throw YAMLFault("no memory", line: nil) }
    defer { yaml_parser_delete(&parser) }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
    try text.withUTF8 { bytes in
      yaml_parser_set_input_string(&parser, bytes.baseAddress, bytes.count)
      while try check.takeEvent(&parser) {}
    }
  }

  /// - Returns: whether another event follows.
  private mutating func takeEvent(_ parser: inout yaml_parser_t) throws -> Bool {
    var event = yaml_event_t()
    guard yaml_parser_parse(&parser, &event) == 1 else {
      throw YAMLFault(
        parser.problem.map { String(cString: $0) } ?? "it cannot be read",
        line: Int(parser.problem_mark.line) + 1)
    }
    defer { yaml_event_delete(&event) }
    try take(event)
    return event.type != YAML_STREAM_END_EVENT && event.type != YAML_NO_EVENT
  }

  private mutating func take(_ event: yaml_event_t) throws {
    let line = Int(event.start_mark.line) + 1
    switch event.type {
    case YAML_ALIAS_EVENT: throw YAMLFault("an alias, which is not read", line: line)
    case YAML_SCALAR_EVENT: try begin(isScalar: true, event.data.scalar.anchor != nil, line)
    case YAML_SEQUENCE_START_EVENT:
      try begin(isScalar: false, event.data.sequence_start.anchor != nil, line)
      levels.append(.list)
    case YAML_MAPPING_START_EVENT:
      try begin(isScalar: false, event.data.mapping_start.anchor != nil, line)
      levels.append(.key)
    case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: levels.removeLast()
    default: break
    }
  }

  private mutating func begin(isScalar: Bool, _ hasAnchor: Bool, _ line: Int) throws {
    guard !hasAnchor else { throw YAMLFault("an anchor, which is not read", line: line) }
    guard isScalar || levels.last != .key else {
      throw YAMLFault("a key that is no plain text", line: line)
    }
    guard levels.count < PlainYAML.mostLevels else {
      throw YAMLFault("more than \(PlainYAML.mostLevels) levels", line: line)
    }
    nodes += 1
    guard nodes <= PlainYAML.mostNodes else {
      throw YAMLFault("more than \(PlainYAML.mostNodes) values", line: line)
    }
    switch levels.popLast() {
    case .key: levels.append(.value)
    case .value: levels.append(.key)
    case .list: levels.append(.list)
    case nil: break
    }
  }
}
