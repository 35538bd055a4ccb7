import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A part of a file that is in memory without having been read.
///
/// Only large weights that nobody checks byte by byte are used so. When another program cuts a file that
/// is mapped, whoever touches what is gone is sent SIGBUS; `MappedFile.path(at:)` tells which file it is.
public struct MappedBytes: Sendable {
  /// What keeps the memory; hold it as long as the bytes are used.
  public let owner: MappedFile
  let range: Range<Int>

  /// Writing changes memory, never the file.
  public var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: owner.bytes[range])
  }

  /// Gives the memory back to the system, which reads the file again should anybody look.
  ///
  /// Whatever was written to the bytes is lost.
  public func unload() {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let first = (range.lowerBound + page - 1) / page * page
    let last = range.upperBound / page * page
    guard first < last, let base = owner.bytes.baseAddress else { return }
    madvise(base + first, last - first, Int32(MADV_DONTNEED))
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
    let place = UInt(bitPattern: address)
    Self.places.withLock { $0[place] = (place..<place + UInt(file.size), file.path) }
    // It may have been cut between opening and mapping.
    try file.checkUnchanged()
    madvise(address, file.size, Int32(MADV_WILLNEED))
  }

  deinit {
    let place = UInt(bitPattern: bytes.baseAddress)
    Self.places.withLock { $0[place] = nil }
    munmap(bytes.baseAddress, bytes.count)
  }

  /// All mappings by their addresses.
  private static let places = Mutex<[UInt: (range: Range<UInt>, path: String)]>([:])

  /// The file whose mapping an address lies in, nil when there is none.
  public static func path(at address: UInt) -> String? {
    places.withLock { places in places.values.first { $0.range.contains(address) }?.path }
  }
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
