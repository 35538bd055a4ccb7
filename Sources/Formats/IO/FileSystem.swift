#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A system call's errno, before it is worded.
public struct SystemFailure: Error, Equatable, Sendable {
  public var errno: Int32
  public init(errno: Int32) { self.errno = errno }

  /// The system's text for the number, such as "No space left on device".
  public var text: String { String(cString: strerror(errno)) }
}

/// What `fstat` says that matters here.
public struct FileStatus: Sendable, Equatable {
  public var size: Int
  public var isRegular: Bool
  public var isDirectory: Bool
  public var device: UInt64
  public var inode: UInt64
  public var modified: Int
  public var permissions: UInt32

  public init(
    size: Int, isRegular: Bool, isDirectory: Bool, device: UInt64, inode: UInt64, modified: Int,
    permissions: UInt32
  ) {
    self.size = size
    self.isRegular = isRegular
    self.isDirectory = isDirectory
    self.device = device
    self.inode = inode
    self.modified = modified
    self.permissions = permissions
  }
}

/// The system calls that reading and writing files come down to.
///
/// One small surface, so that a test can make the n-th call fail and see that nothing is lost.
public protocol FileSystem: Sendable {
  func openForReading(_ path: String) throws -> Int32
  /// Opens a file by its plain name in a directory.
  ///
  /// A link is followed only to another plain name in the same directory; one that leads anywhere
  /// else fails with `ELOOP`.
  func openForReading(_ name: String, in directory: String) throws -> Int32
  /// Creates a file that must not exist yet, never following a link.
  func createExclusively(_ path: String, permissions: UInt32) throws -> Int32
  /// Opens a file for reading and writing, made when it is not there, never following a link.
  func openForWriting(_ path: String, permissions: UInt32) throws -> Int32
  /// Locks a file for this process; fails with `EWOULDBLOCK` when another has it.
  func lock(_ descriptor: Int32) throws
  func truncate(_ descriptor: Int32, size: Int) throws
  func status(_ descriptor: Int32) throws -> FileStatus
  func status(path: String) throws -> FileStatus
  /// Whether a name is that of a symbolic link, wherever it leads.
  func isLink(_ path: String) -> Bool
  /// Reads at most `buffer.count` bytes; fewer is normal, zero is the end.
  func read(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws
    -> Int
  /// Writes at most `buffer.count` bytes; fewer is normal.
  func write(_ descriptor: Int32, from buffer: UnsafeRawBufferPointer, at offset: Int) throws -> Int
  func allocate(_ descriptor: Int32, size: Int) throws
  /// Asks the system to start writing a range to the disk; a hint that cannot fail.
  func startWriteback(_ descriptor: Int32, offset: Int, count: Int)
  func synchronize(_ descriptor: Int32) throws
  func close(_ descriptor: Int32) throws
  func rename(_ source: String, to target: String) throws
  /// Gives a file a second name.
  func link(_ path: String, as other: String) throws
  func remove(_ path: String) throws
  func synchronizeDirectory(_ path: String) throws
  func makeDirectory(_ path: String, permissions: UInt32) throws
  /// Removes a directory that is empty.
  func removeDirectory(_ path: String) throws
  /// The names in a directory, sorted by their bytes.
  func entries(of path: String) throws -> [String]
}
