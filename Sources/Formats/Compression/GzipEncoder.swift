import CZlib

/// Compresses a stream into one gzip member that carries neither a name nor a time.
///
/// Source: RFC 1952.
final class GzipEncoder {
  private let stream: UnsafeMutablePointer<z_stream>

  /// zlib's own default.
  static let level: Int32 = 6

  init() {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // 16 above the window bits asks for gzip's header and trailer.
    let code = deflateInit2_(
      stream, Self.level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    precondition(code == Z_OK, "zlib could not start")
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  /// Compresses the input and hands what is ready to `body`, a piece of `output` at a time.
  func encode(
    _ input: UnsafeRawBufferPointer, isLast: Bool, through output: UnsafeMutableRawBufferPointer,
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) rethrows {
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.pointee.avail_in = UInt32(input.count)
    while true {
      stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
      stream.pointee.avail_out = UInt32(output.count)
      let code = deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
      let count = output.count - Int(stream.pointee.avail_out)
      if count > 0 { try body(UnsafeRawBufferPointer(output.first(count))) }
      // Room that is left means that all of the input was taken.
      if isLast ? code == Z_STREAM_END : stream.pointee.avail_out > 0 { return }
    }
  }
}
