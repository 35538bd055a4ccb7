import Support
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// An output that appears under its name complete and durable, or not at all.
///
/// Bytes go to a temporary file in the target's directory; `commit` makes them durable and renames.
/// A file that is dropped without `commit` leaves nothing behind.
public final class AtomicFile: Sendable {
  public let target: String
  let temporary: String
  private let directory: String
  private let descriptor: Int32
  private let fileSystem: any FileSystem
  private let state = Mutex(State.open)
  private let extent = Mutex(0)

  /// One past the last byte written.
  public var byteCount: Int { extent.withLock { $0 } }

  private enum State { case open, closed, committed }

  /// Creates the temporary file beside `target` and reserves `size` bytes for it.
  ///
  /// - Throws: `FormatError` with code `outputExists`, `outputUnavailable`, `notRegularFile` or
  ///   `ioError`.
  public init(
    target: String, size: Int, overwrite: Bool, fileSystem: any FileSystem = POSIXFileSystem()
  ) throws {
    try Self.checkTarget(target, overwrite: overwrite, fileSystem)
    self.target = target
    self.fileSystem = fileSystem
    directory = parentDirectory(of: target)
    (temporary, descriptor) = try TemporaryFiles.undisturbed {
      let created = try createTemporaryFile(beside: target, fileSystem)
      TemporaryFiles.add(created.path)
      return created
    }
    do {
      try retryingInterrupts("allocate", target) {
        try fileSystem.allocate(descriptor, size: size)
      }
    } catch {
      discard()
      throw error
    }
  }

  deinit { discard() }

  /// Writes all of the buffer at `offset`; may be called from several threads.
  public func write(_ buffer: UnsafeRawBufferPointer, at offset: Int) throws {
    try writeAll(buffer, at: offset, to: descriptor, of: target, fileSystem)
    extent.withLock { $0 = max($0, offset + buffer.count) }
    startWriteback(offset..<offset + buffer.count)
  }

  /// Has the disk begin with what was written, but for the page that the next piece will end.
  ///
  /// A page that changes while it goes to the disk has to go there again, alone, when the file is
  /// made durable; with thousands of pieces that costs more than the pieces.
  private func startWriteback(_ range: Range<Int>) {
    let page = Self.pageBytes
    let (start, end) = (range.lowerBound / page * page, range.upperBound / page * page)
    if start < end { fileSystem.startWriteback(descriptor, offset: start, count: end - start) }
  }

  private static let pageBytes = max(1, Int(sysconf(Int32(_SC_PAGESIZE))))

  /// Fills the buffer with what was written at `offset`.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < buffer.count {
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let count = try retryingInterrupts("read", target) {
        try fileSystem.read(descriptor, into: part, at: offset + done)
      }
      guard count > 0 else {
        throw FormatError(.readBackMismatch, file: target, offset: offset + done)
      }
      done += count
    }
  }

  /// Makes the bytes durable and gives the file its name.
  ///
  /// - Throws: `FormatError` with code `ioError`; the old target is then untouched, except after a
  ///   failed directory sync, which the message tells.
  public func commit() throws {
    do {
      try makeDurable()
      try takeName()
    } catch {
      discard()
      throw error
    }
    try synchronizeDirectory(directory)
  }

  /// Brings the bytes to the disk and closes the file.
  func makeDurable() throws {
    // A failed fsync is never tried again: the kernel may have dropped the pages.
    try once("fsync") { try fileSystem.synchronize(descriptor) }
    state.withLock { $0 = .closed }
    try once("close") { try fileSystem.close(descriptor) }
  }

  /// Gives the durable file the target's name.
  func takeName() throws {
    try retryingInterrupts("rename", target) { try fileSystem.rename(temporary, to: target) }
    state.withLock { $0 = .committed }
    TemporaryFiles.remove(temporary)
  }

  var isCommitted: Bool { state.withLock { $0 == .committed } }

  /// Makes the new names in a directory durable.
  func synchronizeDirectory(_ directory: String) throws {
    do {
      try once("fsync of the directory") { try fileSystem.synchronizeDirectory(directory) }
    } catch var error as FormatError {
      error.remedy = "the file is in place, but a power failure may still undo the rename"
      throw error
    }
  }

  /// Removes the temporary file; does nothing after `commit`.
  func discard() {
    let previous = state.withLock { state -> State in
      defer { if state == .open { state = .closed } }
      return state
    }
    guard previous != .committed else { return }
    if previous == .open { try? fileSystem.close(descriptor) }
    try? fileSystem.remove(temporary)
    TemporaryFiles.remove(temporary)
  }

  private func once(_ operation: String, _ call: () throws -> Void) throws {
    do {
      try call()
    } catch let failure as SystemFailure {
      throw FormatError.io(operation, target, failure)
    }
  }
}

/// Creates a file of a name not used yet in the directory of `target`.
///
/// - Throws: `FormatError` with code `outputUnavailable` or `ioError`.
func createTemporaryFile(
  beside target: String, _ fileSystem: any FileSystem
) throws -> (path: String, descriptor: Int32) {
  let (directory, name) = (parentDirectory(of: target), lastComponent(of: target))
  for attempt in 0..<100 {
    let path = "\(directory)/.\(name.utf8.count > 200 ? "wt" : name).tmp-\(getpid())-\(attempt)"
    do {
      return (path, try fileSystem.createExclusively(path, permissions: 0o644))
    } catch let failure as SystemFailure {
      switch failure.errno {
      case EEXIST, EINTR: continue
      case ENOSPC, EIO, EDQUOT: throw FormatError.io("create", target, failure)
      default: throw FormatError(.outputUnavailable, file: target, found: failure.text)
      }
    }
  }
  throw FormatError(
    .outputUnavailable, file: target, found: "too many temporary files beside it")
}

/// Writes all of the buffer, however little the system takes at once.
public func writeAll(
  _ buffer: UnsafeRawBufferPointer, at offset: Int, to descriptor: Int32, of path: String,
  _ fileSystem: any FileSystem
) throws {
  var done = 0
  while done < buffer.count {
    let part = UnsafeRawBufferPointer(rebasing: buffer[done...])
    let count = try retryingInterrupts("write", path) {
      try fileSystem.write(descriptor, from: part, at: offset + done)
    }
    guard count > 0 else {
      throw FormatError(.ioError, file: path, found: "write: no progress at \(offset + done)")
    }
    done += count
  }
}

/// The directory a path lies in, `.` when it names none.
public func parentDirectory(of path: String) -> String {
  guard let slash = lastSlash(path) else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// What follows the last slash.
public func lastComponent(of path: String) -> String {
  guard let slash = lastSlash(path) else { return path }
  return String(path[path.utf8.index(after: slash)...])
}

/// Among the bytes: a combining mark after a slash would make another character of it.
private func lastSlash(_ path: String) -> String.Index? {
  path.utf8.lastIndex(of: UInt8(ascii: "/"))
}
