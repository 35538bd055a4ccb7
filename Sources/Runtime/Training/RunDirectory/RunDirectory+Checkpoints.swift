import Formats

extension RunDirectory {
  /// A checkpoint that was found whole.
  public struct Checkpoint: Sendable, Equatable {
    public var path: String
    /// Steps done.
    public var step: Int
    public var score: Double?
  }

  /// A file of a checkpoint to be made, and what writes it.
  public typealias Part = (name: String, write: (_ path: String) throws -> Void)

  /// Makes a checkpoint that is there whole or not at all.
  ///
  /// - Parameters:
  ///   - step: steps done.
  ///   - score: what validation gave; more is better.
  /// - Throws: `FormatError`; what was there before stays.
  public func save(step: Int, score: Double?, _ parts: [Part]) throws -> Checkpoint {
    let name = Self.name(of: step)
    let unfinished = "\(checkpointsPath)/.incomplete-\(name)"
    do {
      try attempt("make", unfinished) { try fileSystem.makeDirectory(unfinished) }
      for part in parts { try part.write("\(unfinished)/\(part.name)") }
      let files = try parts.map {
        try CheckpointManifest.File($0.name, in: unfinished, fileSystem)
      }
      let manifest = CheckpointManifest(step: step, score: score, files: files)
      try write(manifest.text, to: "\(unfinished)/\(CheckpointManifest.name)")
      try take(name, from: unfinished)
    } catch {
      try? removeDirectory(unfinished)
      throw error
    }
    return Checkpoint(path: "\(checkpointsPath)/\(name)", step: step, score: score)
  }

  /// Gives a finished directory its name; a damaged one of that name makes room.
  private func take(_ name: String, from unfinished: String) throws {
    let target = "\(checkpointsPath)/\(name)"
    if (try? fileSystem.status(path: target)) != nil { try discard(name) }
    try attempt("rename", target) { try fileSystem.rename(unfinished, to: target) }
    try attempt("fsync of the directory", checkpointsPath) {
      try fileSystem.synchronizeDirectory(checkpointsPath)
    }
  }

  /// The newest checkpoint whose files are what its manifest says.
  ///
  /// - Parameter warn: told of every newer one that is damaged.
  /// - Throws: `TrainingError` with code `noGoodCheckpoint` when there are some and all are damaged.
  public func newest(warn: (String) -> Void) throws -> Checkpoint? {
    let names = try checkpointNames()
    for name in names.reversed() {
      do {
        return try verified(name)
      } catch {
        warn("\(error); falling back to the checkpoint before it")
      }
    }
    guard let last = names.last else { return nil }
    throw TrainingError(
      .noGoodCheckpoint, file: checkpointsPath, found: "\(names.count), the last \(last)",
      remedy: "begin again in another directory (-o)")
  }

  /// Removes all but the newest `keep` checkpoints and the one of the best score.
  public func prune(keeping keep: Int) throws {
    let names = try checkpointNames()
    let scored = names.compactMap { name in
      (try? manifest(name))?.score.map { (name: name, score: $0) }
    }
    // Of equals the earliest stays.
    let best = scored.max { $0.score < $1.score || ($0.score == $1.score && $0.name > $1.name) }
    for name in names.dropLast(max(1, keep)) where name != best?.name { try discard(name) }
  }

  /// A directory that is half removed has no name that anybody looks for.
  private func discard(_ name: String) throws {
    let (path, leaving) = ("\(checkpointsPath)/\(name)", "\(checkpointsPath)/.leaving-\(name)")
    try attempt("rename", path) { try fileSystem.rename(path, to: leaving) }
    try removeDirectory(leaving)
  }

  private static let prefix = "step-"

  static func name(of step: Int) -> String {
    let digits = "\(step)"
    return prefix + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }

  /// In the order of their steps.
  private func checkpointNames() throws -> [String] {
    try Self.entries(of: checkpointsPath, fileSystem).compactMap { name -> (Int, String)? in
      guard name.hasPrefix(Self.prefix), let step = Int(name.dropFirst(Self.prefix.count)) else {
        return nil
      }
      return (step, name)
    }.sorted { $0 < $1 }.map(\.1)
  }

  private func manifest(_ name: String) throws -> CheckpointManifest {
    let path = "\(checkpointsPath)/\(name)/\(CheckpointManifest.name)"
    let text = String(
      decoding: try InputFile(path, fileSystem: fileSystem).contents(), as: UTF8.self)
    guard let manifest = CheckpointManifest(text), Self.name(of: manifest.step) == name else {
      throw TrainingError(
        .badRun, file: path, expected: "a manifest that agrees with its own hash")
    }
    return manifest
  }

  private func verified(_ name: String) throws -> Checkpoint {
    let directory = "\(checkpointsPath)/\(name)"
    let manifest = try manifest(name)
    for expected in manifest.files {
      let found = try CheckpointManifest.File(expected.name, in: directory, fileSystem)
      guard found == expected else {
        throw TrainingError(
          .badRun, file: "\(directory)/\(expected.name)",
          expected: "\(expected.byteCount) bytes of SHA-256 \(expected.digest.prefix(12))…",
          found: "\(found.byteCount) of \(found.digest.prefix(12))…")
      }
    }
    return Checkpoint(path: directory, step: manifest.step, score: manifest.score)
  }
}
