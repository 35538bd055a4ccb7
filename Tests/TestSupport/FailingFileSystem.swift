import Formats
import Synchronization

/// Makes the n-th call of one kind fail.
public final class FailingFileSystem: FileSystem {
  public enum Call: String, CaseIterable, Sendable {
    case create, write, allocate, synchronize, close, rename, read
  }

  private let real = POSIXFileSystem()
  private let call: Call
  private let failure: SystemFailure?
  private let countdown: Atomic<Int>

  /// - Parameter failure: nil makes reads and writes short instead.
  public init(_ call: Call, at index: Int, _ failure: SystemFailure?) {
    self.call = call
    self.failure = failure
    countdown = Atomic(index)
  }

  private func trip(_ kind: Call) throws {
    guard kind == call, let failure else { return }
    if countdown.subtract(1, ordering: .relaxed).newValue == 0 { throw failure }
  }

  /// At most this many bytes at once, when calls are to be short.
  private func limit(_ kind: Call, _ count: Int) -> Int {
    kind == call && failure == nil ? min(count, 3) : count
  }

  public func openForReading(_ path: String) throws -> Int32 { try real.openForReading(path) }
  public func openForReading(_ name: String, in directory: String) throws -> Int32 {
    try real.openForReading(name, in: directory)
  }
  public func createExclusively(_ path: String, permissions: UInt32) throws -> Int32 {
    try trip(.create)
    return try real.createExclusively(path, permissions: permissions)
  }
  public func status(_ descriptor: Int32) throws -> FileStatus { try real.status(descriptor) }
  public func status(path: String) throws -> FileStatus { try real.status(path: path) }
  public func read(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int)
    throws
    -> Int
  {
    try trip(.read)
    return try real.read(
      descriptor,
      into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<limit(.read, buffer.count)]),
      at: offset)
  }
  public func write(_ descriptor: Int32, from buffer: UnsafeRawBufferPointer, at offset: Int) throws
    -> Int
  {
    try trip(.write)
    let part = UnsafeRawBufferPointer(rebasing: buffer[..<limit(.write, buffer.count)])
    return try real.write(descriptor, from: part, at: offset)
  }
  public func allocate(_ descriptor: Int32, size: Int) throws {
    try trip(.allocate)
    try real.allocate(descriptor, size: size)
  }
  public func startWriteback(_ descriptor: Int32, offset: Int, count: Int) {}
  public func synchronize(_ descriptor: Int32) throws {
    try trip(.synchronize)
    try real.synchronize(descriptor)
  }
  public func close(_ descriptor: Int32) throws {
    try trip(.close)
    try real.close(descriptor)
  }
  public func rename(_ source: String, to target: String) throws {
    try trip(.rename)
    try real.rename(source, to: target)
  }
  public func remove(_ path: String) throws { try real.remove(path) }
  public func synchronizeDirectory(_ path: String) throws { try real.synchronizeDirectory(path) }
}
