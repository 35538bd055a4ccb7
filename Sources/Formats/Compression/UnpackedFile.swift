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

/// A nameless file for what does not fit in memory.
private final class ScratchFile {
  private var descriptor: Int32?
  private let directory: String
  private let fileSystem: any FileSystem

  init(in directory: String, _ fileSystem: any FileSystem) throws {
    self.directory = directory
    self.fileSystem = fileSystem
    let (path, descriptor) = try createTemporaryFile(
      beside: directory + "/wt-scratch", fileSystem)
    self.descriptor = descriptor
    // Without a name it cannot be left behind.
    try retryingInterrupts("unlink", path) { try fileSystem.remove(path) }
  }

  deinit {
    if let descriptor { try? fileSystem.close(descriptor) }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    guard let descriptor else { return }
    try writeAll(bytes, at: offset, to: descriptor, of: directory, fileSystem)
  }

  /// Hands the descriptor to a new owner.
  func release() -> Int32 {
    guard let descriptor else { preconditionFailure("released twice") }
    self.descriptor = nil
    return descriptor
  }
}
