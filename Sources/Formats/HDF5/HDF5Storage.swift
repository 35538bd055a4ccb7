/// The bytes that the library takes for a file; it opens none itself.
protocol HDF5Storage: AnyObject {
  /// One past the last byte.
  var size: Int { get }
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws
  func write(_ buffer: UnsafeRawBufferPointer, at offset: Int) throws
  /// Makes the storage exactly this long.
  func finish(size: Int) throws
}

/// An opened file, from its HDF5 signature on.
///
/// A user block is so out of the library's sight, and every address it tells counts from
/// `base`, in all of its versions.
final class HDF5Input: HDF5Storage, Sendable {
  let file: InputFile
  let base: Int

  init(_ file: InputFile, base: Int) {
    self.file = file
    self.base = base
  }

  var size: Int { file.size - base }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try file.read(into: buffer, at: base + offset)
  }

  func write(_ buffer: UnsafeRawBufferPointer, at offset: Int) throws { throw readOnly }
  func finish(size: Int) throws { throw readOnly }

  /// The bytes of a range that the file's content names.
  func bytes(_ offset: Int, _ count: Int) throws -> [UInt8] {
    guard offset >= 0, count >= 0, offset <= size, count <= size - offset else {
      throw FormatError(
        .hdf5Error, offset: offset, expected: "\(count) bytes", found: "a file of \(size)")
    }
    return try file.bytes(base + offset..<base + offset + count)
  }

  private var readOnly: FormatError { FormatError(.hdf5Error, found: "a write to an input") }
}

/// A file that is being written.
final class HDF5Output: HDF5Storage {
  private let file: AtomicFile
  private(set) var size = 0

  init(_ file: AtomicFile) { self.file = file }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    try file.read(into: buffer, at: offset)
  }

  func write(_ buffer: UnsafeRawBufferPointer, at offset: Int) throws {
    try file.write(buffer, at: offset)
    size = max(size, offset + buffer.count)
  }

  func finish(size end: Int) throws {
    guard size < end else { return }
    try [UInt8(0)].withUnsafeBytes { try write($0, at: end - 1) }
  }
}

/// A file of which only the written pages exist, in memory.
///
/// It holds a file's structure while nothing has been written of the tensors between.
final class HDF5Sketch: HDF5Storage {
  private static let pageBytes = 4096
  private var pages: [Int: [UInt8]] = [:]
  private(set) var size = 0

  /// The written pages from front to back, cut at the end of the file.
  var written: [(offset: Int, bytes: ArraySlice<UInt8>)] {
    pages.keys.sorted().compactMap { place in
      let offset = place * Self.pageBytes
      guard offset < size, let page = pages[place] else { return nil }
      return (offset, page.prefix(size - offset))
    }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    forEachPage(offset, buffer.count) { place, within, part in
      let target = UnsafeMutableRawBufferPointer(rebasing: buffer[part])
      guard let page = pages[place] else {
        target.initializeMemory(as: UInt8.self, repeating: 0)
        return
      }
      target.copyBytes(from: page[within..<within + part.count])
    }
  }

  func write(_ buffer: UnsafeRawBufferPointer, at offset: Int) throws {
    forEachPage(offset, buffer.count) { place, within, part in
      pages[place, default: [UInt8](repeating: 0, count: Self.pageBytes)].withUnsafeMutableBytes {
        UnsafeMutableRawBufferPointer(rebasing: $0[within..<within + part.count])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[part]))
      }
    }
    size = max(size, offset + buffer.count)
  }

  func finish(size end: Int) throws { size = end }

  /// Cuts a range into pieces that lie within one page each.
  private func forEachPage(
    _ offset: Int, _ count: Int, _ body: (_ place: Int, _ within: Int, _ part: Range<Int>) -> Void
  ) {
    var done = 0
    while done < count {
      let (place, within) = (offset + done).quotientAndRemainder(dividingBy: Self.pageBytes)
      let part = min(Self.pageBytes - within, count - done)
      body(place, within, done..<done + part)
      done += part
    }
  }
}
