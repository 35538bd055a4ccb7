import Formats

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A run's log: one line a step, appended as it happens.
final class RunLog {
  private let path: String
  private let descriptor: Int32

  /// Opens the log and cuts what was written after `step` steps; what was before stays as it is.
  ///
  /// - Throws: `FormatError` with code `ioError`.
  init(_ path: String, keeping steps: Int) throws {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Self.failure("open", path) }
    guard ftruncate(descriptor, off_t(try end(of: steps))) == 0,
      lseek(descriptor, 0, SEEK_END) >= 0
    else { throw Self.failure("truncate", path) }
  }

  deinit { close(descriptor) }

  /// Where the line after some lines begins; the end of the last whole line if there are fewer.
  private func end(of lines: Int) throws -> Int {
    var (offset, found, end) = (0, 0, 0)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while found < lines {
      let count = pread(descriptor, &buffer, buffer.count, off_t(offset))
      guard count >= 0 else { throw Self.failure("read", path) }
      guard count > 0 else { break }
      for index in 0..<count where buffer[index] == UInt8(ascii: "\n") && found < lines {
        found += 1
        end = offset + index + 1
      }
      offset += count
    }
    return end
  }

  /// Appends a line, whole or not at all as far as the system can tell.
  func append(_ line: String) throws {
    var rest = Array((line + "\n").utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Self.failure("write", path) }
      rest = rest.dropFirst(count)
    }
  }

  /// Brings the lines to the disk.
  func synchronize() throws {
    guard fsync(descriptor) == 0 else { throw Self.failure("fsync", path) }
  }

  private static func failure(_ operation: String, _ path: String) -> FormatError {
    FormatError(
      .ioError, file: path, found: "\(operation): \(String(cString: strerror(errno)))")
  }
}
