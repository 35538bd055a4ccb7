import CLinux

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The real file system.
public struct POSIXFileSystem: FileSystem {
  public init() {}

  public func openForReading(_ path: String) throws -> Int32 {
    // Without O_NONBLOCK, opening a FIFO would wait for a writer that never comes.
    try check(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK))
  }

  public func openForReading(_ name: String, in directory: String) throws -> Int32 {
    let folder = try check(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    defer { _ = closeDescriptor(folder) }
    var name = name
    for _ in 0..<longestChainOfLinks {
      let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW
      let descriptor = openat(folder, name, flags)
      guard descriptor < 0 else { return descriptor }
      guard errno == ELOOP else { throw SystemFailure(errno: errno) }
      name = try linkTarget(name, in: folder)
    }
    throw SystemFailure(errno: ELOOP)
  }

  public func createExclusively(_ path: String, permissions: UInt32) throws -> Int32 {
    try check(open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, permissions))
  }

  public func openForWriting(_ path: String, permissions: UInt32) throws -> Int32 {
    try check(open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, permissions))
  }

  public func lock(_ descriptor: Int32) throws { try check(flock(descriptor, LOCK_EX | LOCK_NB)) }

  public func truncate(_ descriptor: Int32, size: Int) throws {
    try check(ftruncate(descriptor, off_t(size)))
  }

  public func status(_ descriptor: Int32) throws -> FileStatus {
    var value = stat()
    try check(fstat(descriptor, &value))
    return FileStatus(value)
  }

  public func status(path: String) throws -> FileStatus {
    var value = stat()
    try check(stat(path, &value))
    return FileStatus(value)
  }

  public func isLink(_ path: String) -> Bool {
    var value = stat()
    return lstat(path, &value) == 0 && value.st_mode & S_IFMT == S_IFLNK
  }

  public func read(
    _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws -> Int {
    try check(pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset)))
  }

  public func write(
    _ descriptor: Int32, from buffer: UnsafeRawBufferPointer, at offset: Int
  ) throws -> Int {
    try check(pwrite(descriptor, buffer.baseAddress, buffer.count, off_t(offset)))
  }

  public func allocate(_ descriptor: Int32, size: Int) throws {
    guard size > 0 else { return }
    // Unlike other calls, posix_fallocate returns its error. A file system that cannot
    // preallocate is no reason to fail: the writes will tell.
    let code = posix_fallocate(descriptor, 0, off_t(size))
    guard code == 0 || code == EOPNOTSUPP || code == EINVAL || code == ENOSYS else {
      throw SystemFailure(errno: code)
    }
  }

  public func startWriteback(_ descriptor: Int32, offset: Int, count: Int) {
    #if canImport(Glibc)
      _ = sync_file_range(
        descriptor, Int64(offset), Int64(count), WT_SYNC_FILE_RANGE_WRITE)
    #endif
  }

  public func synchronize(_ descriptor: Int32) throws { try check(fsync(descriptor)) }

  // The descriptor is gone even when close fails, so it is never tried twice.
  public func close(_ descriptor: Int32) throws { try check(closeDescriptor(descriptor)) }

  public func rename(_ source: String, to target: String) throws {
    try check(renamePath(source, target))
  }

  public func link(_ path: String, as other: String) throws { try check(linkPath(path, other)) }

  public func remove(_ path: String) throws { try check(unlink(path)) }

  public func synchronizeDirectory(_ path: String) throws {
    let descriptor = try check(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    defer { _ = closeDescriptor(descriptor) }
    try check(fsync(descriptor))
  }

  public func makeDirectory(_ path: String, permissions: UInt32) throws {
    try check(mkdir(path, permissions))
  }

  public func removeDirectory(_ path: String) throws { try check(rmdir(path)) }

  public func entries(of path: String) throws -> [String] {
    guard let directory = opendir(path) else { throw SystemFailure(errno: errno) }
    defer { closedir(directory) }
    var names: [TensorName] = []
    errno = 0
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(TensorName(name)) }
      errno = 0
    }
    guard errno == 0 else { throw SystemFailure(errno: errno) }
    return names.sorted().map(\.text)
  }
}

/// The global `close`, which the method of the same name would hide.
private func closeDescriptor(_ descriptor: Int32) -> Int32 { close(descriptor) }

private let longestChainOfLinks = 8

/// Where a link leads, which must be a plain name.
private func linkTarget(_ name: String, in folder: Int32) throws -> String {
  var buffer = [CChar](repeating: 0, count: Int(NAME_MAX) + 1)
  let count = try check(readlinkat(folder, name, &buffer, buffer.count))
  let target = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  guard !target.utf8.contains(UInt8(ascii: "/")), target != ".", target != ".." else {
    throw SystemFailure(errno: ELOOP)
  }
  return target
}
private func linkPath(_ path: String, _ other: String) -> Int32 { link(path, other) }

private func renamePath(_ source: String, _ target: String) -> Int32 { rename(source, target) }

@discardableResult
private func check<Value: SignedInteger>(_ result: Value) throws -> Value {
  guard result >= 0 else { throw SystemFailure(errno: errno) }
  return result
}

extension FileStatus {
  init(_ value: stat) {
    size = Int(value.st_size)
    isRegular = value.st_mode & S_IFMT == S_IFREG
    isDirectory = value.st_mode & S_IFMT == S_IFDIR
    device = UInt64(value.st_dev)
    inode = UInt64(value.st_ino)
    modified = Int(value.st_mtim.tv_sec) &* 1_000_000_000 &+ Int(value.st_mtim.tv_nsec)
    permissions = UInt32(value.st_mode) & 0o777
  }
}
