import CZlib

/// Decodes gzip members through zlib, which holds their checksums and sizes against the data.
///
/// Source: RFC 1952.
final class GzipDecoder: FrameDecoder {
  let longestHeader = 2
  let allowsZeroPadding = true
  private let stream: UnsafeMutablePointer<z_stream>

  init() throws {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // 16 above the window bits asks for gzip's header and trailer.
    let code = inflateInit2_(
      stream, MAX_WBITS + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(code == Z_OK, "zlib could not start")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  func open(_ head: UnsafeRawBufferPointer, offset: Int, isFirst: Bool) throws {
    guard head.starts(with: [0x1F, 0x8B]) else {
      throw FormatError(
        .trailingBytes, offset: offset, expected: "another gzip member or the end of the file")
    }
    inflateReset(stream)
  }

  func decode(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, offset: Int
  ) throws -> DecoderProgress {
    stream.pointee.next_in = UnsafeMutablePointer(
      mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.pointee.avail_in = UInt32(input.count)
    stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = UInt32(clamping: output.count)
    let room = Int(stream.pointee.avail_out)
    let code = inflate(stream, Z_NO_FLUSH)
    let consumed = input.count - Int(stream.pointee.avail_in)
    guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else {
      throw FormatError(
        .gzipCorrupt, offset: offset + consumed,
        found: stream.pointee.msg.map { String(cString: $0) } ?? "zlib error \(code)")
    }
    return DecoderProgress(
      consumed: consumed, produced: room - Int(stream.pointee.avail_out),
      isAtEnd: code == Z_STREAM_END)
  }
}
