import Support
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A regular file opened for reading at any offset, from any thread.
///
/// Nothing is mapped, but for weights that somebody asks for so: a file that shrinks meanwhile is a
/// typed error, not a signal.
public final class InputFile: Sendable {
  public let path: String
  public let size: Int
  let status: FileStatus
  let fileSystem: any FileSystem
  let descriptor: Int32
  let mapping = Mutex(Mapping())
  /// The file that this one was unpacked from.
  let source: Source?

  struct Source: Sendable {
    var file: InputFile
    /// Nil where not the whole file is compressed but parts of it.
    var compression: Compression?
  }

  /// Opens the file.
  ///
  /// - Throws: `FormatError` with code `notFound`, `notReadable`, `notRegularFile` or `ioError`.
  public convenience init(_ path: String, fileSystem: any FileSystem = POSIXFileSystem()) throws {
    let descriptor = try Self.open(path) { try fileSystem.openForReading(path) }
    try self.init(path, descriptor, fileSystem)
  }

  private init(_ path: String, _ descriptor: Int32, _ fileSystem: any FileSystem) throws {
    self.path = path
    self.fileSystem = fileSystem
    source = nil
    self.descriptor = descriptor
    do {
      let descriptor = descriptor
      status = try retryingInterrupts("fstat", path) { try fileSystem.status(descriptor) }
    } catch {
      try? fileSystem.close(descriptor)
      throw error
    }
    guard status.isRegular else {
      try? fileSystem.close(descriptor)
      throw FormatError(
        .notRegularFile, file: path, expected: "a regular file",
        found: status.isDirectory ? "a directory" : "a device, pipe or socket")
    }
    size = status.size
  }

  /// Takes over the descriptor of a nameless file that holds what `source` holds compressed.
  init(unpacked descriptor: Int32, from source: Source) throws {
    path = source.file.path
    fileSystem = source.file.fileSystem
    self.descriptor = descriptor
    self.source = source
    let fileSystem = fileSystem
    status = try retryingInterrupts("fstat", path) { try fileSystem.status(descriptor) }
    size = status.size
  }

  /// Opens a file that lies beside this one, by a plain name that came out of this one.
  ///
  /// - Throws: `FormatError` with code `missingShard`, `badShardPath` for a link that leads out of
  ///   the folder, `notReadable`, `notRegularFile` or `ioError`.
  func sibling(_ name: String) throws -> InputFile {
    let path = String(self.path.dropLast(lastComponent(of: self.path).count)) + name
    let descriptor = try Self.open(path) {
      do {
        return try fileSystem.openForReading(name, in: parentDirectory(of: self.path))
      } catch let failure as SystemFailure where failure.errno == ENOENT {
        throw FormatError(.missingShard, file: path)
      } catch let failure as SystemFailure where failure.errno == ELOOP {
        throw FormatError(
          .badShardPath, file: path, expected: "a file in the folder of its index",
          found: "a link that leads out of it",
          remedy: "put the files themselves into one folder, for example with cp -L")
      }
    }
    return try InputFile(path, descriptor, fileSystem)
  }

  deinit { try? fileSystem.close(descriptor) }

  /// The bytes that the file takes on the disk, packed as it is.
  var sizeOnDisk: Int { source?.file.size ?? size }

  /// Fills the buffer from `offset`.
  ///
  /// - Throws: `FormatError` with code `fileChanged` when the file is shorter than it was.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < buffer.count {
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let count = try retryingInterrupts("read", path) {
        try fileSystem.read(descriptor, into: part, at: offset + done)
      }
      guard count > 0 else {
        throw FormatError(
          .fileChanged, file: path, offset: offset + done, expected: "\(size) bytes in all",
          found: "the end of the file")
      }
      done += count
    }
  }

  /// The bytes of a range that lies within the file.
  public func bytes(_ range: Range<Int>) throws -> [UInt8] {
    guard range.lowerBound >= 0, range.upperBound <= size else {
      throw FormatError(
        .truncated, file: path, offset: range.lowerBound,
        expected: "\(range.count) more bytes", found: "\(max(0, size - range.lowerBound))")
    }
    return try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, initialized in
      try read(into: UnsafeMutableRawBufferPointer(buffer), at: range.lowerBound)
      initialized = range.count
    }
  }

  /// Checks that the file is still the one that was opened.
  ///
  /// - Throws: `FormatError` with code `fileChanged`.
  public func checkUnchanged() throws {
    if let source { return try source.file.checkUnchanged() }
    let now = try retryingInterrupts("fstat", path) { try fileSystem.status(descriptor) }
    guard now.size == status.size, now.modified == status.modified else {
      throw FormatError(.fileChanged, file: path, expected: "\(size) bytes as opened")
    }
  }

  /// Opens until it is not interrupted, and words the failure.
  private static func open(_ path: String, _ call: () throws -> Int32) throws -> Int32 {
    while true {
      do {
        return try call()
      } catch let failure as SystemFailure {
        switch failure.errno {
        case EINTR: continue
        case ENOENT, ENOTDIR: throw FormatError(.notFound, file: path)
        case EACCES, EPERM, ELOOP, ENAMETOOLONG:
          throw FormatError(.notReadable, file: path, found: failure.text)
        case ENXIO:
          throw FormatError(
            .notRegularFile, file: path, expected: "a regular file", found: "a socket")
        default: throw FormatError.io("open", path, failure)
        }
      }
    }
  }
}

/// Runs a system call until it is not interrupted, and words its failure.
func retryingInterrupts<Result>(
  _ operation: String, _ path: String, _ call: () throws -> Result
) throws -> Result {
  while true {
    do {
      return try call()
    } catch let failure as SystemFailure {
      if failure.errno != EINTR { throw FormatError.io(operation, path, failure) }
    }
  }
}

extension FormatError {
  static func io(_ operation: String, _ path: String, _ failure: SystemFailure) -> FormatError {
    FormatError(
      .ioError, file: path, found: "\(operation): \(failure.text) (errno \(failure.errno))")
  }
}

extension InputFile {
  /// The SHA-256 of the whole file, in hexadecimal digits.
  public func contentHash() throws -> String {
    var hash = ContentHash()
    try withChunk(of: chunkBytes) { buffer in
      for start in stride(from: 0, to: size, by: chunkBytes) {
        let part = buffer.first(min(chunkBytes, size - start))
        try read(into: part, at: start)
        hash.update(UnsafeRawBufferPointer(part))
      }
    }
    return hash.hexDigest()
  }
}

extension InputFile {
  /// Whether a path, followed through links, leads to this very file.
  public func isSameFile(as other: String) -> Bool {
    if let source { return source.file.isSameFile(as: other) }
    return FileIdentity(other) == FileIdentity(status)
  }
}
