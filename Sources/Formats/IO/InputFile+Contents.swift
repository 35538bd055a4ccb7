import Support

extension InputFile {
  /// All of a small file.
  ///
  /// - Throws: `FormatError` with code `sizeLimit` beyond 16 MiB, or what reading throws.
  public func contents() throws -> [UInt8] {
    let limit = 16 << 20
    guard size <= limit else {
      throw FormatError(
        .sizeLimit, file: path, expected: "at most \(limit) bytes", found: "\(size)")
    }
    return try bytes(0..<size)
  }

  /// The SHA-256 of the whole file in hexadecimal digits.
  public func contentDigest() throws -> String {
    var hash = ContentHash()
    let piece = 1 << 20
    for start in stride(from: 0, to: size, by: piece) {
      try bytes(start..<min(size, start + piece)).withUnsafeBytes { hash.update($0) }
    }
    return hash.hexDigest()
  }
}
