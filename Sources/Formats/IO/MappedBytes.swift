import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A part of a file that is in memory without having been read.
///
/// Only large weights that nobody checks byte by byte are used so. A file that another program cuts
/// while it is mapped ends the process; whoever cannot exclude that reads instead.
public struct MappedBytes: Sendable {
  /// What keeps the memory; hold it as long as the bytes are used.
  public let owner: MappedFile
  let range: Range<Int>

  /// Writing changes memory, never the file.
  public var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: owner.bytes[range])
  }
}

/// A whole file in memory, private to the process.
public final class MappedFile: @unchecked Sendable {
  // Sendable, as the pointer never changes.
  let bytes: UnsafeMutableRawBufferPointer

  /// - Throws: `FormatError` with code `fileChanged` when the file has another size than it had, or
  ///   `ioError`.
  fileprivate init(_ file: InputFile, _ descriptor: Int32) throws {
    let protection = PROT_READ | PROT_WRITE
    guard file.size > 0,
      let address = mmap(nil, file.size, protection, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0),
      address != MAP_FAILED
    else {
      throw FormatError.io("mmap", file.path, SystemFailure(errno: file.size > 0 ? errno : EINVAL))
    }
    bytes = UnsafeMutableRawBufferPointer(start: address, count: file.size)
    // It may have been cut between opening and mapping.
    try file.checkUnchanged()
    madvise(address, file.size, Int32(MADV_WILLNEED))
  }

  deinit { munmap(bytes.baseAddress, bytes.count) }
}

extension InputFile {
  /// Maps a range that lies within the file; every range shares one mapping.
  func mapped(_ range: Range<Int>) throws -> MappedBytes {
    precondition(range.lowerBound >= 0 && range.upperBound <= size)
    let owner = try mapping.withLock { mapping in
      if let file = mapping.file { return file }
      let file = try MappedFile(self, descriptor)
      mapping.file = file
      return file
    }
    return MappedBytes(owner: owner, range: range)
  }

  /// Remembers the mapping while somebody uses it.
  struct Mapping { weak var file: MappedFile? }
}
