import Formats
import Support

/// A training run on disk: its configuration, its log and its checkpoints.
///
/// A checkpoint is a directory that appears whole: its files are made durable under another name, its
/// manifest last, then it is renamed. Which one is the newest is computed, never pointed to.
public final class RunDirectory {
  public let path: String
  let fileSystem: any FileSystem
  private let lock: RunLock

  var checkpointsPath: String { path + "/checkpoints" }
  var logPath: String { path + "/log.jsonl" }
  public var configurationPath: String { path + "/config.json" }

  /// Opens the directory of a run, or makes one, and keeps other trainers out.
  ///
  /// - Throws: `TrainingError` with code `locked` or `notARun`; `FormatError` when the system refuses.
  public init(_ path: String, fileSystem: any FileSystem = POSIXFileSystem()) throws {
    self.path = path
    self.fileSystem = fileSystem
    if let status = try? fileSystem.status(path: path) {
      guard status.isDirectory else {
        throw TrainingError(.notARun, file: path, expected: "a directory", found: "a file")
      }
    } else {
      try Self.makeDirectory(path, fileSystem)
    }
    let names = try RunDirectory.entries(of: path, fileSystem)
    guard names.allSatisfy({ $0.hasPrefix(".") }) || names.contains("config.json") else {
      throw TrainingError(
        .notARun, file: path, expected: "a new, an empty or a run's directory",
        found: names.prefix(3).joined(separator: ", "))
    }
    lock = try RunLock(path)
    if !names.contains("checkpoints") { try Self.makeDirectory(checkpointsPath, fileSystem) }
    try removeLeftovers()
  }

  /// The configuration that the run was begun with, nil when it is new.
  public func configuration() throws -> String? {
    guard (try? fileSystem.status(path: configurationPath)) != nil else { return nil }
    return String(decoding: try InputFile(configurationPath).contents(), as: UTF8.self)
  }

  /// Keeps the configuration of a new run.
  public func begin(_ configuration: String) throws {
    try write(configuration, to: configurationPath)
  }

  func write(_ text: String, to target: String) throws {
    let bytes = Array(text.utf8)
    let file = try AtomicFile(
      target: target, size: bytes.count, overwrite: true, fileSystem: fileSystem)
    try bytes.withUnsafeBytes { try file.write($0, at: 0) }
    try file.commit()
  }

  /// Removes what a run that was killed did not finish making or removing.
  private func removeLeftovers() throws {
    for name in try Self.entries(of: checkpointsPath, fileSystem) where name.hasPrefix(".") {
      try removeDirectory(checkpointsPath + "/" + name)
    }
    for name in try Self.entries(of: path, fileSystem) where name.contains(".tmp-") {
      try attempt("remove", path) { try fileSystem.remove(path + "/" + name) }
    }
  }

  func removeDirectory(_ directory: String) throws {
    for name in try Self.entries(of: directory, fileSystem) {
      try attempt("remove", directory) { try fileSystem.remove(directory + "/" + name) }
    }
    try attempt("remove", directory) { try fileSystem.removeDirectory(directory) }
  }

  func attempt(_ operation: String, _ path: String, _ call: () throws -> Void) throws {
    try Self.attempt(operation, path, call)
  }

  private static func makeDirectory(_ path: String, _ fileSystem: any FileSystem) throws {
    do {
      try fileSystem.makeDirectory(path)
    } catch let failure as SystemFailure {
      throw FormatError(.outputUnavailable, file: path, found: failure.text)
    }
  }

  static func entries(of path: String, _ fileSystem: any FileSystem) throws -> [String] {
    var names: [String] = []
    try attempt("list", path) { names = try fileSystem.entries(of: path) }
    return names
  }

  private static func attempt(
    _ operation: String, _ path: String, _ call: () throws -> Void
  ) throws {
    do {
      try call()
    } catch let failure as SystemFailure {
      throw FormatError(.ioError, file: path, found: "\(operation): \(failure.text)")
    }
  }
}
