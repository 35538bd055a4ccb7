import Support

extension InputFile {
  /// What lies inside a compressed file, as a nameless file that can be read at any offset.
  ///
  /// It lies in `options.scratchDirectory`, so that memory stays a few buffers however large the
  /// content is, and is gone when it is closed, whatever happens.
  ///
  /// - Throws: `FormatError` with a code of the compression, `expansionLimit` or `ioError`.
  func unpacked(_ compression: Compression, options: CheckpointOptions) throws -> InputFile {
    let scratch = try ScratchFile(in: options.scratchDirectory, fileSystem)
    let limit = Budgets.expansionLimit(of: size, isLifted: options.allowsExpansion)
    let decompressor = try Decompressor(self, compression)
    let counter = ProgressCounter("unpacking", total: size, options.progress)
    var (done, reported) = (0, 0)
    try withChunk(of: chunkBytes) { buffer in
      while case let count = try decompressor.read(into: buffer), count > 0 {
        guard count <= limit - done else {
          throw FormatError(
            .expansionLimit, expected: "at most \(limit) bytes inside \(size) compressed ones",
            found: "more")
        }
        try scratch.write(UnsafeRawBufferPointer(buffer.first(count)), at: done)
        done += count
        counter.add(decompressor.consumedCount - reported)
        reported = decompressor.consumedCount
      }
    }
    return try InputFile(
      unpacked: scratch.release(), from: Source(file: self, compression: compression))
  }
}
