extension AtomicFile {
  /// Checks before any work is done that a target can be written: that it is none of the inputs, and
  /// that it does not exist unless it may be replaced.
  ///
  /// - Parameter inputs: paths of files; one that is not there is no target either.
  /// - Throws: `FormatError` with code `outputUnavailable`.
  public static func checkTarget(
    _ target: String, overwrite: Bool, besides inputs: [String],
    fileSystem: any FileSystem = POSIXFileSystem()
  ) throws {
    try checkTarget(target, overwrite: overwrite, fileSystem)
    guard let found = try? fileSystem.status(path: target) else { return }
    for input in inputs {
      guard let file = try? fileSystem.status(path: input), file.device == found.device,
        file.inode == found.inode
      else { continue }
      throw FormatError.isInput(target)
    }
  }
}

extension FormatError {
  /// The error for a target that something is read from.
  public static func isInput(_ target: String) -> FormatError {
    FormatError(
      .outputUnavailable, file: target, found: "it is an input, which is never changed",
      remedy: "choose another name")
  }
}
