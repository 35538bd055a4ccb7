/// Several outputs that appear together or not at all.
///
/// No file system renames several files at once. Everything that can fail for want of space or a
/// sound disk happens before the first rename; should a rename fail nevertheless, those before it
/// are taken back: a file that was replaced is put in place again from a second link to it.
enum AtomicFileSet {
  /// Renames the files, all durable already, in their order.
  ///
  /// - Throws: `FormatError` with code `ioError`; all targets are then what they were before.
  static func commit(_ files: [AtomicFile], fileSystem: any FileSystem) throws {
    try TemporaryFiles.undisturbed { try takeNames(files, fileSystem) }
    for directory in Set(files.map { parentDirectory(of: $0.target) }).sorted() {
      try files[0].synchronizeDirectory(directory)
    }
  }

  private static func takeNames(_ files: [AtomicFile], _ fileSystem: any FileSystem) throws {
    var done: [(file: AtomicFile, backup: String?)] = []
    do {
      for file in files {
        let backup = try backUp(file, fileSystem)
        done.append((file, backup))
        try file.takeName()
      }
    } catch {
      files.forEach { $0.discard() }
      for (file, backup) in done.reversed() { restore(file, backup, fileSystem) }
      throw error
    }
    for (_, backup) in done {
      if let backup { try? fileSystem.remove(backup) }
    }
  }

  /// A second name for the file that is about to be replaced, or nil when there is none.
  private static func backUp(_ file: AtomicFile, _ fileSystem: any FileSystem) throws -> String? {
    guard (try? fileSystem.status(path: file.target)) != nil else { return nil }
    // Never one of the temporary files that an end of the process takes along.
    let backup = file.temporary + ".old"
    try retryingInterrupts("link", file.target) {
      try fileSystem.link(file.target, as: backup)
    }
    return backup
  }

  private static func restore(
    _ file: AtomicFile, _ backup: String?, _ fileSystem: any FileSystem
  ) {
    if let backup {
      try? fileSystem.rename(backup, to: file.target)
      // A rename of two links to one file does nothing and leaves both.
      try? fileSystem.remove(backup)
    } else if file.isCommitted {
      try? fileSystem.remove(file.target)
    }
  }
}
