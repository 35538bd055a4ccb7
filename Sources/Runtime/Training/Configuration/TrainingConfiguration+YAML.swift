import Formats
import PlainYAML
import Yams

extension TrainingConfiguration {
  /// A configuration file is written by hand: far more than any has is none.
  private static let largestFile = 1 << 20

  /// The names of the configurations that ship with the tool.
  public static var shippedNames: [String] { shipped.map(\.name) }

  private static let shipped: [(name: String, bytes: [UInt8])] = [
    ("masam-btcv", PackageResources.masam_btcv_yaml),
    ("masam-prostate", PackageResources.masam_prostate_yaml),
    ("masam-endovis18", PackageResources.masam_endovis18_yaml),
    ("masam-pancreas-box", PackageResources.masam_pancreas_box_yaml),
  ]

  /// Puts a configuration over what is there: a shipped one by its name, or a file by its path.
  ///
  /// - Throws: `TrainingError` with code `badConfiguration` or `unknownConfiguration`, or
  ///   `FormatError` when a file cannot be read.
  public mutating func apply(configuration name: String) throws {
    if let found = Self.shipped.first(where: { $0.name == name }) {
      return try apply(yaml: String(decoding: found.bytes, as: UTF8.self), file: name)
    }
    try apply(yaml: Self.text(name), file: name)
  }

  private static func text(_ path: String) throws -> String {
    let file: InputFile
    do {
      file = try InputFile(path)
    } catch let error as FormatError where error.code == .notFound && !path.contains(".") {
      throw TrainingError(
        .unknownConfiguration, subject: path,
        expected: "a file, or one of \(shippedNames.joined(separator: ", "))")
    }
    guard file.size <= largestFile else {
      throw TrainingError(
        .badConfiguration, file: path, expected: "at most \(largestFile) bytes",
        found: "\(file.size)")
    }
    guard let text = String(validating: try file.bytes(0..<file.size), as: UTF8.self) else {
      throw TrainingError(.badConfiguration, file: path, expected: "UTF-8")
    }
    return text
  }

  /// Puts the values of a YAML mapping over those that are there.
  ///
  /// - Throws: `TrainingError` with code `badConfiguration`.
  public mutating func apply(yaml: String, file: String) throws {
    let root: Node?
    do {
      root = try PlainYAML.compose(yaml)
    } catch let error as YAMLFault {
      throw TrainingError(.badConfiguration, file: file, found: "\(error)")
    }
    guard let root else { return }
    guard let mapping = root.mapping else {
      throw TrainingError(.badConfiguration, file: file, expected: "a mapping of keys to values")
    }
    var settings: Settings = []
    var names: Set<String> = []
    for (key, value) in mapping {
      guard let name = key.scalar?.string else {
        throw TrainingError(.badConfiguration, file: file, expected: "keys that are plain text")
      }
      guard names.insert(name).inserted else {
        throw TrainingError(.badConfiguration, file: file, subject: name, expected: "each key once")
      }
      settings.append((name, try Self.texts(value, name, file)))
    }
    try apply(settings, file: file)
  }

  private static func texts(_ node: Node, _ key: String, _ file: String) throws -> [String] {
    let texts = node.sequence.map { $0.map(\.scalar?.string) } ?? [node.scalar?.string]
    return try texts.map { text in
      guard let text else {
        throw TrainingError(
          .badConfiguration, file: file, subject: key, expected: "a value or a list of values")
      }
      return text
    }
  }
}
