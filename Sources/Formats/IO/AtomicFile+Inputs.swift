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
    guard let found = FileIdentity(target, fileSystem: fileSystem) else { return }
    try refuseInput(
      target, isInput: inputs.contains { FileIdentity($0, fileSystem: fileSystem) == found })
  }

  /// Refuses to replace a file that is read.
  ///
  /// - Throws: `FormatError` with code `outputUnavailable`.
  public static func refuseInput(_ target: String, isInput: Bool) throws {
    guard isInput else { return }
    throw FormatError(
      .outputUnavailable, file: target, found: "it is an input, which is never changed",
      remedy: "choose another name")
  }
}
