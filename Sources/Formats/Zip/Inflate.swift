import CZlib
import Support

/// A raw deflate stream in a range of a file, inflated a buffer at a time.
final class InflateStream {
  private let file: InputFile
  private let end: Int
  private var position: Int
  // zlib keeps a pointer to its state, which therefore must not move.
  private let stream: UnsafeMutablePointer<z_stream>
  private let input: UnsafeMutableRawBufferPointer
  private var hasEnded = false

  init(_ file: InputFile, _ range: Range<Int>) {
    self.file = file
    position = range.lowerBound
    end = range.upperBound
    input = .allocate(byteCount: min(chunkBytes, max(1, range.count)), alignment: 4096)
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // Negative window bits: a bare deflate stream without zlib's header.
    let code = inflateInit2_(
      stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(code == Z_OK, "zlib could not start")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    input.deallocate()
  }

  /// Fills the buffer from the front and returns how many bytes that were; fewer than it holds is
  /// the end of the stream.
  ///
  /// - Throws: `FormatError` with code `inflateCorrupt`.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var produced = 0
    while produced < buffer.count, !hasEnded {
      try refill()
      let room = min(buffer.count - produced, 1 << 30)
      stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        .advanced(by: produced)
      stream.pointee.avail_out = UInt32(room)
      let code = inflate(stream, Z_NO_FLUSH)
      produced += room - Int(stream.pointee.avail_out)
      switch code {
      case Z_STREAM_END: hasEnded = true
      case Z_OK: continue
      case Z_BUF_ERROR: throw FormatError(.inflateCorrupt, found: "the stream does not end")
      default: throw FormatError(.inflateCorrupt, found: "zlib error \(code)")
      }
    }
    return produced
  }

  private func refill() throws {
    guard stream.pointee.avail_in == 0, position < end else { return }
    let part = input.first(min(input.count, end - position))
    try file.read(into: part, at: position)
    position += part.count
    stream.pointee.next_in = part.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_in = UInt32(part.count)
  }

  /// Checks that the stream ends here and fills its range.
  ///
  /// - Parameter produced: the bytes that were read, for the message.
  /// - Throws: `FormatError` with code `inflateSizeMismatch` or `inflateCorrupt`.
  func finish(after produced: Int) throws {
    var surplus: UInt8 = 0
    let more = try withUnsafeMutableBytes(of: &surplus) { try read(into: $0) }
    guard more == 0 else {
      throw FormatError(.inflateSizeMismatch, expected: "\(produced) bytes", found: "more")
    }
    let unread = Int(stream.pointee.avail_in) + end - position
    guard unread == 0 else {
      throw FormatError(
        .inflateSizeMismatch, expected: "\(produced) bytes",
        found: "\(unread) bytes after the stream's end")
    }
  }
}
