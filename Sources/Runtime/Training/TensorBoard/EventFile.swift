import Formats

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A TensorBoard event file: the scalars of a run, appended step by step.
///
/// TensorBoard shows every file of a run directory whose name contains `tfevents`.
public final class EventFile {
  public static let name = "events.out.tfevents.wt"

  private let path: String
  private let descriptor: Int32
  /// Longer than any record that is written here.
  private static let longestRecord = 1 << 20

  /// Opens or creates a file, and cuts it where the given step, or something damaged, begins.
  ///
  /// What is before stays as it is, so that a run that is continued has every step once.
  /// - Throws: `FormatError` with code `outputUnavailable`, for a link as well, or `ioError`.
  public init(_ path: String, keeping steps: Int) throws {
    self.path = path
    descriptor = try openForWriting(path, POSIXFileSystem())
    let end = try end(of: steps)
    guard ftruncate(descriptor, off_t(end)) == 0, lseek(descriptor, 0, SEEK_END) >= 0 else {
      throw Self.failure("truncate", path)
    }
    if end == 0 { try append(EventRecord.version) }
  }

  deinit { close(descriptor) }

  /// Appends the scalars of a step.
  ///
  /// - Parameter wallTime: in seconds since 1970; TensorBoard's relative times come from it.
  /// - Throws: `FormatError` with code `ioError`.
  public func append(
    step: Int, wallTime: Double, _ scalars: [(tag: String, value: Double)]
  ) throws {
    try append(EventRecord.scalars(step: step, wallTime: wallTime, scalars))
  }

  /// Brings the events to the disk.
  public func synchronize() throws {
    guard fsync(descriptor) == 0 else { throw Self.failure("fsync", path) }
  }

  private func append(_ record: [UInt8]) throws {
    var rest = record[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Self.failure("write", path) }
      rest = rest.dropFirst(count)
    }
  }

  /// Where the first record begins that is damaged or of a step that is to be made anew.
  private func end(of steps: Int) throws -> Int {
    let first = try bytes(at: 0, count: EventRecord.version.count)
    guard first == EventRecord.version else { return 0 }
    var end = first.count
    while let record = try record(at: end), let step = EventRecord.step(of: record.message),
      step < steps
    { end += record.length }
    return end
  }

  /// The record at an offset; nil at the end, and for one that is cut or damaged.
  private func record(at offset: Int) throws -> (message: ArraySlice<UInt8>, length: Int)? {
    let header = try bytes(at: offset, count: 12)
    guard header.count == 12 else { return nil }
    let count = header[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard header[8...].elementsEqual(EventRecord.littleEndian(CRC32C.masked(header[..<8]))),
      count <= UInt64(Self.longestRecord)
    else { return nil }
    let body = try bytes(at: offset + 12, count: Int(count) + 4)
    guard body.count == Int(count) + 4 else { return nil }
    let message = body[..<Int(count)]
    guard body[Int(count)...].elementsEqual(EventRecord.littleEndian(CRC32C.masked(message)))
    else { return nil }
    return (message, 12 + body.count)
  }

  /// Up to so many bytes.
  private func bytes(at offset: Int, count: Int) throws -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let part = result.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress?.advanced(by: done), count - done, off_t(offset + done))
      }
      if part < 0 && errno == EINTR { continue }
      guard part >= 0 else { throw Self.failure("read", path) }
      if part == 0 { break }
      done += part
    }
    return Array(result[..<done])
  }

  private static func failure(_ operation: String, _ path: String) -> FormatError {
    FormatError(
      .ioError, file: path, found: "\(operation): \(String(cString: strerror(errno)))")
  }
}
