#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The size of the pieces that tensors are moved in: large enough that a system call costs nothing
/// beside it, small enough to stay in the processor's cache between reading, checking and writing.
let chunkBytes = 1 << 20

/// Lends a page-aligned buffer to `body`.
func withChunk<Result>(
  of count: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Result
) rethrows -> Result {
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 4096)
  defer { buffer.deallocate() }
  return try body(buffer)
}

extension UnsafeMutableRawBufferPointer {
  func first(_ count: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: self[..<count])
  }
}

/// Whether two buffers of the same length hold the same bytes.
func equal(_ left: UnsafeMutableRawBufferPointer, _ right: UnsafeMutableRawBufferPointer) -> Bool {
  guard left.count == right.count else { return false }
  guard let first = left.baseAddress, let second = right.baseAddress else { return left.isEmpty }
  return memcmp(first, second, left.count) == 0
}
