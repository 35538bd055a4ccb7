import Formats
import Support

/// What a checkpoint directory holds, so that damage is seen: every file's size and SHA-256.
struct CheckpointManifest: Sendable, Equatable {
  static let name = "manifest.json"
  /// Far more than a few files need.
  private static let largest = 1 << 20

  struct File: Sendable, Equatable {
    var name: String
    var byteCount: Int
    var digest: String
  }

  var step: Int
  /// Of the run's configuration.
  var configuration: String
  var version: String
  var files: [File]

  var text: String {
    let list = files.map { file in
      "    "
        + JSON.object([
          ("name", .string(file.name)), ("bytes", .int(file.byteCount)),
          ("sha256", .string(file.digest)),
        ]).encoded()
    }
    return """
      {
        "step": \(step),
        "configuration": \(JSON.quoted(configuration)),
        "wt": \(JSON.quoted(version)),
        "files": [
      \(list.joined(separator: ",\n"))
        ]
      }

      """
  }

  /// Describes files that were written.
  ///
  /// - Throws: `FormatError` when one cannot be read.
  init(
    step: Int, configuration: String, version: String, names: [String], in directory: String,
    fileSystem: any FileSystem
  ) throws {
    self.step = step
    self.configuration = configuration
    self.version = version
    files = try names.map { name in
      let file = try InputFile("\(directory)/\(name)", fileSystem: fileSystem)
      return File(name: name, byteCount: file.size, digest: try file.contentHash())
    }
  }

  /// Reads the manifest of a directory.
  ///
  /// - Throws: `FormatError`.
  init(in directory: String, fileSystem: any FileSystem) throws {
    let file = try InputFile("\(directory)/\(Self.name)", fileSystem: fileSystem)
    guard file.size <= Self.largest else {
      throw FormatError(
        .sizeLimit, file: file.path, expected: "at most \(Self.largest) bytes",
        found: "\(file.size)")
    }
    do {
      try self.init(try file.bytes(0..<file.size))
    } catch var error as FormatError {
      error.file = file.path
      throw error
    }
  }

  private init(_ bytes: [UInt8]) throws {
    var (step, configuration, version): (Int?, String?, String?)
    var files: [File] = []
    var scanner = JSONScanner(bytes, base: 0)
    try scanner.object { scanner, key in
      switch key {
      case "step": step = try scanner.count(.badMetadata)
      case "configuration": configuration = try scanner.string()
      case "wt": version = try scanner.string()
      case "files": try scanner.array { files.append(try Self.file(&$0)) }
      default: throw FormatError(.badMetadata, subject: key, expected: "a key of a manifest")
      }
    }
    try scanner.expectEnd()
    guard let step, let configuration, let version else {
      throw FormatError(.badMetadata, expected: "step, configuration, wt and files")
    }
    (self.step, self.configuration, self.version) = (step, configuration, version)
    self.files = files
    // Nobody but us writes it: another spelling is damage that the values do not show.
    guard bytes.elementsEqual(text.utf8) else {
      throw FormatError(.badMetadata, expected: "the manifest as it was written")
    }
  }

  private static func file(_ scanner: inout JSONScanner) throws -> File {
    var (name, count, digest): (String?, Int?, String?)
    try scanner.object { scanner, key in
      switch key {
      case "name": name = try scanner.string()
      case "bytes": count = try scanner.count(.badMetadata)
      case "sha256": digest = try scanner.string()
      default: throw FormatError(.badMetadata, subject: key, expected: "a key of a file")
      }
    }
    guard let name, let count, let digest else {
      throw FormatError(.badMetadata, expected: "name, bytes and sha256")
    }
    return File(name: name, byteCount: count, digest: digest)
  }

  /// Holds the files of a directory against the manifest.
  ///
  /// - Parameter names: of all files that must be there.
  /// - Throws: `FormatError` naming the first file that is not as it was written.
  func verify(_ names: [String], in directory: String, fileSystem: any FileSystem) throws {
    let manifest = "\(directory)/\(Self.name)"
    guard files.map(\.name) == names else {
      throw FormatError(
        .badMetadata, file: manifest, subject: "files",
        expected: names.joined(separator: ", "),
        found: files.map(\.name).joined(separator: ", "))
    }
    for expected in files {
      let file = try InputFile("\(directory)/\(expected.name)", fileSystem: fileSystem)
      guard file.size == expected.byteCount else {
        throw FormatError(
          .sizeMismatch, file: file.path, expected: "\(expected.byteCount) bytes",
          found: "\(file.size)")
      }
      let digest = try file.contentHash()
      guard digest == expected.digest else {
        throw FormatError(
          .checksumMismatch, file: file.path, expected: expected.digest, found: digest)
      }
    }
  }
}
