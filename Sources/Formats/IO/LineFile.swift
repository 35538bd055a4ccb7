/// A text file that grows by whole lines.
///
/// A line reaches the system in one call before `append` returns, so that a process that is killed
/// leaves at most the beginning of its last line.
public final class LineFile {
  public let path: String
  private let descriptor: Int32
  private let fileSystem: any FileSystem
  private var end: Int

  /// A longer line is none of ours.
  static let longestLine = 1 << 16

  /// Opens the file, or makes it, and cuts off what follows the lines that are wanted.
  ///
  /// - Parameter isWanted: asked for each complete line in order, without its end, until it says no.
  /// - Throws: `FormatError` with code `outputUnavailable` or `ioError`.
  public init(
    _ path: String, fileSystem: any FileSystem = POSIXFileSystem(),
    while isWanted: ([UInt8]) throws -> Bool
  ) throws {
    self.path = path
    self.fileSystem = fileSystem
    descriptor = try openForWriting(path, fileSystem)
    end = 0
    do {
      let size = try retryingInterrupts("fstat", path) { try fileSystem.status(descriptor) }.size
      end = try Self.end(of: descriptor, path, fileSystem, while: isWanted)
      if end < size {
        try retryingInterrupts("truncate", path) {
          try fileSystem.truncate(descriptor, size: end)
        }
      }
    } catch {
      try? fileSystem.close(descriptor)
      throw error
    }
  }

  deinit { try? fileSystem.close(descriptor) }

  /// Where the wanted lines end.
  private static func end(
    of descriptor: Int32, _ path: String, _ fileSystem: any FileSystem,
    while isWanted: ([UInt8]) throws -> Bool
  ) throws -> Int {
    var (end, read, line) = (0, 0, [UInt8]())
    return try withChunk(of: longestLine) { buffer in
      while true {
        let count = try retryingInterrupts("read", path) {
          try fileSystem.read(descriptor, into: buffer, at: read)
        }
        guard count > 0 else { return end }
        read += count
        for byte in buffer.first(count) {
          if byte != UInt8(ascii: "\n") {
            line.append(byte)
            guard line.count <= longestLine else { return end }
          } else {
            guard try isWanted(line) else { return end }
            end += line.count + 1
            line.removeAll(keepingCapacity: true)
          }
        }
      }
    }
  }

  /// Adds a line, and hands it to the system.
  ///
  /// - Parameter line: without its end.
  /// - Throws: `FormatError` with code `ioError`; the file then ends where it did before, if that
  ///   can still be done.
  public func append(_ line: String) throws {
    let bytes = Array((line + "\n").utf8)
    do {
      try bytes.withUnsafeBytes { try writeAll($0, at: end, to: descriptor, of: path, fileSystem) }
    } catch {
      try? fileSystem.truncate(descriptor, size: end)
      throw error
    }
    end += bytes.count
  }

  /// Brings all lines to the disk.
  ///
  /// - Throws: `FormatError` with code `ioError`.
  public func synchronize() throws {
    do {
      try fileSystem.synchronize(descriptor)
    } catch let failure as SystemFailure {
      throw FormatError.io("fsync", path, failure)
    }
  }
}
