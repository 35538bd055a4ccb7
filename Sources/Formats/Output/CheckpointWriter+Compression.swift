import Support

/// Compressed output: the file as it would be, and one zstd frame of it.
extension CheckpointWriter {
  /// Writes the plain file to a temporary one, compresses that, and compares what comes out again.
  ///
  /// - Returns: the compressed file, and how large the plain one was.
  func compressed(
    to target: String, overwrite: Bool
  ) throws -> (output: AtomicFile, plainByteCount: Int) {
    let plain = try plain(to: target, overwrite: overwrite)
    defer { plain.discard() }
    let input = try InputFile(plain.temporary, fileSystem: fileSystem)
    let output = try AtomicFile(
      target: target, size: 0, overwrite: overwrite, fileSystem: fileSystem)
    try compress(input, into: output)
    let packed = try InputFile(output.temporary, fileSystem: fileSystem)
    try compare(packed, with: input)
    return (output, plain.byteCount)
  }

  private func compress(_ input: InputFile, into output: AtomicFile) throws {
    let counter = ProgressCounter("compressing", total: input.size, progress)
    let encoder = try ZstdEncoder(size: input.size)
    var (done, written) = (0, 0)
    try withChunk(of: chunkBytes) { source in
      try withChunk(of: chunkBytes) { target in
        repeat {
          let part = source.first(min(source.count, input.size - done))
          try input.read(into: part, at: done)
          done += part.count
          try encoder.encode(
            UnsafeRawBufferPointer(part), isLast: done == input.size, through: target
          ) { piece in
            try output.write(piece, at: written)
            written += piece.count
          }
          counter.add(part.count)
        } while done < input.size
      }
    }
  }

  private func compare(_ packed: InputFile, with plain: InputFile) throws {
    let counter = ProgressCounter("reading back", total: plain.size, progress)
    let decoder = try Decompressor(packed, .zstd)
    var done = 0
    try withChunk(of: chunkBytes) { first in
      try withChunk(of: chunkBytes) { second in
        while case let count = try decoder.read(into: first), count > 0 {
          guard count <= plain.size - done else { throw mismatch(packed, done) }
          try plain.read(into: second.first(count), at: done)
          guard equal(first.first(count), second.first(count)) else {
            throw mismatch(packed, done)
          }
          done += count
          counter.add(count)
        }
      }
    }
    guard done == plain.size else { throw mismatch(packed, done) }
  }

  private func mismatch(_ file: InputFile, _ offset: Int) -> FormatError {
    FormatError(.readBackMismatch, file: file.path, offset: offset)
  }
}
