import Formats

/// The profiles that ship with the tool, and those that users write.
public enum ProfileLibrary {
  private static let files: [(name: String, bytes: [UInt8])] = [
    ("amos", PackageResources.amos_yaml), ("btcv", PackageResources.btcv_yaml),
    ("endovis18", PackageResources.endovis18_yaml),
    ("msd-pancreas", PackageResources.msd_pancreas_yaml),
    ("prostate", PackageResources.prostate_yaml),
  ]

  public static var names: [String] { files.map(\.name) }

  /// The file that a profile of this name is read from, nil for one that ships.
  public static func path(of name: String) -> String? { names.contains(name) ? nil : name }

  /// Far more than any profile takes.
  private static let largestFile = 4 << 20

  /// A profile by its name, or by the path of a YAML file.
  ///
  /// - Throws: `DatasetError` with code `unknownProfile` or `badProfile`, or `FormatError`.
  public static func profile(_ name: String) throws -> Profile {
    if let file = files.first(where: { $0.name == name }) {
      return try Profile(yaml: String(decoding: file.bytes, as: UTF8.self), file: name)
    }
    guard name.contains("/") || name.hasSuffix(".yaml") || name.hasSuffix(".yml") else {
      throw DatasetError(
        .unknownProfile, subject: name,
        expected: "\(names.joined(separator: ", ")), or a file ending in .yaml")
    }
    let file = try InputFile(name)
    guard file.size <= largestFile else {
      throw DatasetError(
        .badProfile, file: name, expected: "at most \(largestFile) bytes", found: "\(file.size)")
    }
    let bytes = try file.bytes(0..<file.size)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw DatasetError(.badProfile, file: name, expected: "UTF-8")
    }
    return try Profile(yaml: text, file: name)
  }
}
