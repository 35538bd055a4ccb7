import Formats

extension AtomicFile {
  /// Writes a text as a whole file.
  ///
  /// - Throws: `FormatError`; the target is then what it was before.
  static func write(_ text: String, to target: String, overwrite: Bool) throws {
    let bytes = Array(text.utf8)
    let file = try AtomicFile(target: target, size: bytes.count, overwrite: overwrite)
    try bytes.withUnsafeBytes { try file.write($0, at: 0) }
    try file.commit()
  }
}
