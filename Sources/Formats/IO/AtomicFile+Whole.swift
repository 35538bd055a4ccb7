extension AtomicFile {
  /// Writes a small file that appears complete or not at all.
  ///
  /// - Throws: `FormatError`; the target is then what it was before.
  public static func write(
    _ bytes: [UInt8], to target: String, overwrite: Bool,
    fileSystem: any FileSystem = POSIXFileSystem()
  ) throws {
    let file = try AtomicFile(
      target: target, size: bytes.count, overwrite: overwrite, fileSystem: fileSystem)
    try bytes.withUnsafeBytes { try file.write($0, at: 0) }
    try file.commit()
  }

  /// The same of a text.
  public static func write(
    _ text: String, to target: String, overwrite: Bool,
    fileSystem: any FileSystem = POSIXFileSystem()
  ) throws {
    try write(Array(text.utf8), to: target, overwrite: overwrite, fileSystem: fileSystem)
  }
}
