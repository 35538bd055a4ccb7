import Formats
import Support

/// A training run on the disk: `config.json`, `log.jsonl` and `checkpoints`.
///
/// One process at a time has it. Whatever kills that process, the next finds the configuration, all
/// checkpoints that were complete, and the log up to them.
public final class RunDirectory {
  public let path: String
  /// The newest checkpoint that is whole; nil when the run has not got that far.
  public let newest: StoredCheckpoint?
  /// What a user should be told: checkpoints that are damaged, lines that the log lost.
  public let warnings: [String]
  public let log: TrainingLog
  private let store: CheckpointStore
  private let fileSystem: any FileSystem
  private let lock: FileLock

  private static let configuration = "config.json"
  private static let logName = "log.jsonl"
  private static let checkpoints = "checkpoints"

  /// Begins a run in a directory that is not there or empty, or opens the one that is in it.
  ///
  /// The log is cut to the steps of the newest checkpoint.
  ///
  /// - Parameters:
  ///   - identity: what the run is of.
  ///   - version: of the tool, noted in every checkpoint.
  /// - Throws: `TrainingError` with code `locked`, `notARun`, `otherConfiguration`, `badRun` or
  ///   `noGoodCheckpoint`, or `FormatError` with code `outputUnavailable` or `ioError`.
  public init(
    _ path: String, identity: RunIdentity, version: String,
    fileSystem: any FileSystem = POSIXFileSystem()
  ) throws {
    self.path = path
    self.fileSystem = fileSystem
    try Self.makeDirectory(path, fileSystem)
    try Self.checkIsFree(path, fileSystem)
    guard let lock = try FileLock("\(path)/.lock", fileSystem: fileSystem) else {
      throw TrainingError(
        .locked, file: path, remedy: "wait until it is done, or choose another directory")
    }
    self.lock = lock
    try Self.removeLeftovers(path, fileSystem)
    try Self.checkConfiguration("\(path)/\(Self.configuration)", identity, fileSystem)
    let checkpoints = "\(path)/\(Self.checkpoints)"
    guard !fileSystem.isLink(checkpoints) else {
      // What is elsewhere has another lock, and is not this run's to prune.
      throw FormatError(
        .outputUnavailable, file: checkpoints, expected: "a directory", found: "a link")
    }
    try Self.makeDirectory(checkpoints, fileSystem)
    try AtomicDirectory.removeLeftovers(in: checkpoints, fileSystem: fileSystem)
    store = CheckpointStore(
      directory: checkpoints, configuration: identity.digest, version: version,
      fileSystem: fileSystem)
    let found = try store.newest()
    newest = found.found
    var warnings = found.warnings
    let (done, log) = (newest?.state.step ?? 0, "\(path)/\(Self.logName)")
    if newest == nil, let size = try? fileSystem.status(path: log).size, size > 0 {
      warnings.append(
        "\(checkpoints): no checkpoint is there, though \(Self.logName) tells of steps; "
          + "the run begins anew")
    }
    self.log = try TrainingLog(log, keeping: done, fileSystem: fileSystem)
    if self.log.count < done {
      warnings.append("\(log): the lines of \(done - self.log.count) of \(done) steps are lost")
    }
    self.warnings = warnings
  }

  /// Checks that a run could begin or go on in a directory, and changes nothing.
  ///
  /// - Throws: as `init`, but for what only trying tells.
  public static func check(
    _ path: String, identity: RunIdentity, fileSystem: any FileSystem = POSIXFileSystem()
  ) throws {
    guard let status = try? fileSystem.status(path: path) else { return }
    guard status.isDirectory else { throw Self.notADirectory(path) }
    try checkIsFree(path, fileSystem)
    try checkConfiguration("\(path)/\(configuration)", identity, writes: false, fileSystem)
  }

  /// Makes a checkpoint, then removes those that are not to be kept.
  ///
  /// When this returns, the checkpoint and the log up to it are safe on the disk.
  ///
  /// - Parameter keep: how many of the newest are kept, besides the best; with fewer than two nothing
  ///   would be left when the newest turns out to be damaged, so two are kept at least.
  /// - Throws: `FormatError` with code `ioError` or `outputUnavailable`; earlier checkpoints are then
  ///   as they were.
  @discardableResult
  public func save(_ content: CheckpointContent, keep: Int) throws -> StoredCheckpoint {
    precondition(keep > 0)
    try log.synchronize()
    let stored = try store.write(content)
    try store.prune(after: content.state, keep: max(keep, 2))
    return stored
  }

  private static func makeDirectory(_ path: String, _ fileSystem: any FileSystem) throws {
    if let status = try? fileSystem.status(path: path) {
      guard status.isDirectory else {
        throw notADirectory(path)
      }
      return
    }
    try createDirectory(path, fileSystem: fileSystem)
    try synchronizeDirectory(around: path, fileSystem: fileSystem)
  }

  private static func notADirectory(_ path: String) -> FormatError {
    FormatError(.outputUnavailable, file: path, expected: "a directory", found: "a file")
  }

  /// Refuses a directory that is used and has no run in it.
  private static func checkIsFree(_ path: String, _ fileSystem: any FileSystem) throws {
    let names = try entries(of: path, fileSystem: fileSystem)
    guard !names.contains(configuration), let other = names.first(where: { !$0.hasPrefix(".") })
    else { return }
    throw TrainingError(
      .notARun, file: path, expected: "a run's \(configuration), or nothing", found: "'\(other)'",
      remedy: "choose another directory")
  }

  /// Removes what a process that was killed before the run began properly left.
  private static func removeLeftovers(_ path: String, _ fileSystem: any FileSystem) throws {
    for name in try entries(of: path, fileSystem: fileSystem)
    where name.hasPrefix(".\(configuration).tmp-") {
      try removeFile("\(path)/\(name)", fileSystem: fileSystem)
    }
  }

  /// Writes the configuration of a new run, or compares that of an old one.
  private static func checkConfiguration(
    _ path: String, _ identity: RunIdentity, writes: Bool = true, _ fileSystem: any FileSystem
  ) throws {
    let file: InputFile
    do {
      file = try InputFile(path, fileSystem: fileSystem)
    } catch let error as FormatError where error.code == .notFound {
      guard writes else { return }
      return try AtomicFile.write(
        identity.text, to: path, overwrite: false, fileSystem: fileSystem)
    }
    let largest = 1 << 20
    guard file.size <= largest else {
      throw TrainingError(
        .badRun, file: path, expected: "at most \(largest) bytes", found: "\(file.size)")
    }
    try identity.check(file.bytes(0..<file.size), file: path)
  }
}
