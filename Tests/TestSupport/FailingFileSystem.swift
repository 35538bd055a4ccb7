import Formats
import Synchronization

/// Makes the n-th call of one kind fail, or all reads and writes short.
public final class FailingFileSystem: FileSystem {
  public enum Call: String, CaseIterable, Sendable {
    case open, create, status, read, write, allocate, synchronize, close, rename, link
    case synchronizeDirectory
    case openForWriting, lock, truncate, remove, makeDirectory, removeDirectory, entries

    /// Those that reading and writing a checkpoint makes.
    public static let ofConversions: [Call] = [
      .open, .create, .status, .read, .write, .allocate, .synchronize, .close, .rename, .link,
      .synchronizeDirectory,
    ]
  }

  public enum Fault: Sendable {
    /// The n-th call fails with an errno.
    case failure(SystemFailure, at: Int)
    /// Every call moves a few bytes only.
    case short
    /// The n-th write puts down one wrong bit.
    case flip(at: Int)
  }

  private let real = POSIXFileSystem()
  private let call: Call
  private let fault: Fault
  private let count = Atomic<Int>(0)
  /// What was asked to go to the disk, in the order of asking.
  public let writebacks = Mutex<[Range<Int>]>([])

  public init(_ call: Call, _ fault: Fault) {
    self.call = call
    self.fault = fault
  }

  /// Whether the call that was to fail has been made.
  public var hasFailed: Bool {
    switch fault {
    case .failure(_, let index), .flip(let index): count.load(ordering: .relaxed) >= index
    case .short: false
    }
  }

  private func trip(_ kind: Call) throws {
    guard kind == call, case .failure(let failure, let index) = fault else { return }
    if count.add(1, ordering: .relaxed).newValue == index { throw failure }
  }

  private func limit(_ kind: Call, _ count: Int) -> Int {
    guard kind == call, case .short = fault else { return count }
    return min(count, 3)
  }

  public func openForReading(_ path: String) throws -> Int32 {
    try trip(.open)
    return try real.openForReading(path)
  }
  public func openForReading(_ name: String, in directory: String) throws -> Int32 {
    try trip(.open)
    return try real.openForReading(name, in: directory)
  }
  public func createExclusively(_ path: String, permissions: UInt32) throws -> Int32 {
    try trip(.create)
    return try real.createExclusively(path, permissions: permissions)
  }
  public func status(_ descriptor: Int32) throws -> FileStatus {
    try trip(.status)
    return try real.status(descriptor)
  }
  public func status(path: String) throws -> FileStatus { try real.status(path: path) }
  public func isLink(_ path: String) -> Bool { real.isLink(path) }
  public func read(
    _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws -> Int {
    try trip(.read)
    let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<limit(.read, buffer.count)])
    return try real.read(descriptor, into: part, at: offset)
  }
  public func write(
    _ descriptor: Int32, from buffer: UnsafeRawBufferPointer, at offset: Int
  ) throws -> Int {
    try trip(.write)
    if case .flip(let index) = fault, count.add(1, ordering: .relaxed).newValue == index {
      var bytes = Array(buffer)
      if !bytes.isEmpty { bytes[bytes.count / 2] ^= 4 }
      return try bytes.withUnsafeBytes { try real.write(descriptor, from: $0, at: offset) }
    }
    let part = UnsafeRawBufferPointer(rebasing: buffer[..<limit(.write, buffer.count)])
    return try real.write(descriptor, from: part, at: offset)
  }
  public func allocate(_ descriptor: Int32, size: Int) throws {
    try trip(.allocate)
    try real.allocate(descriptor, size: size)
  }
  public func startWriteback(_ descriptor: Int32, offset: Int, count: Int) {
    writebacks.withLock { $0.append(offset..<offset + count) }
  }
  public func synchronize(_ descriptor: Int32) throws {
    try trip(.synchronize)
    try real.synchronize(descriptor)
  }
  public func close(_ descriptor: Int32) throws {
    // The descriptor is gone even when close reports a failure.
    try real.close(descriptor)
    try trip(.close)
  }
  public func rename(_ source: String, to target: String) throws {
    try trip(.rename)
    try real.rename(source, to: target)
  }
  public func link(_ path: String, as other: String) throws {
    try trip(.link)
    try real.link(path, as: other)
  }
  public func remove(_ path: String) throws {
    try trip(.remove)
    try real.remove(path)
  }
  public func synchronizeDirectory(_ path: String) throws {
    try trip(.synchronizeDirectory)
    try real.synchronizeDirectory(path)
  }
  public func openForWriting(_ path: String, permissions: UInt32) throws -> Int32 {
    try trip(.openForWriting)
    return try real.openForWriting(path, permissions: permissions)
  }
  public func lock(_ descriptor: Int32) throws {
    try trip(.lock)
    try real.lock(descriptor)
  }
  public func truncate(_ descriptor: Int32, size: Int) throws {
    try trip(.truncate)
    try real.truncate(descriptor, size: size)
  }
  public func makeDirectory(_ path: String, permissions: UInt32) throws {
    try trip(.makeDirectory)
    try real.makeDirectory(path, permissions: permissions)
  }
  public func removeDirectory(_ path: String) throws {
    try trip(.removeDirectory)
    try real.removeDirectory(path)
  }
  public func entries(of path: String) throws -> [String] {
    try trip(.entries)
    return try real.entries(of: path)
  }
}
