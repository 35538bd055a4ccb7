import CZlib
import Support

/// Inflates a raw deflate stream that lies in a range of a file.
///
/// - Parameter size: the bytes it must give, neither more nor fewer.
/// - Throws: `FormatError` with code `inflateSizeMismatch` or `inflateCorrupt`.
func inflate(_ file: InputFile, _ range: Range<Int>, size: Int) throws -> [UInt8] {
  var stream = z_stream()
  // Negative window bits: a bare deflate stream without zlib's header.
  let code = inflateInit2_(
    &stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
  precondition(code == Z_OK, "zlib could not start")
  defer { inflateEnd(&stream) }
  return try [UInt8](unsafeUninitializedCapacity: size) { output, initialized in
    initialized = try withChunk(of: min(chunkBytes, max(1, range.count))) { input in
      try run(&stream, file, range, input, output)
    }
  }
}

private func run(
  _ stream: inout z_stream, _ file: InputFile, _ range: Range<Int>,
  _ input: UnsafeMutableRawBufferPointer, _ output: UnsafeMutableBufferPointer<UInt8>
) throws -> Int {
  var position = range.lowerBound
  var produced = 0
  // One byte past the end shows a stream that is longer than it says.
  var surplus: UInt8 = 0
  while true {
    if stream.avail_in == 0, position < range.upperBound {
      let part = input.first(min(input.count, range.upperBound - position))
      try file.read(into: part, at: position)
      position += part.count
      stream.next_in = part.baseAddress?.assumingMemoryBound(to: UInt8.self)
      stream.avail_in = UInt32(part.count)
    }
    let room = min(output.count - produced, 1 << 30)
    let code = withUnsafeMutablePointer(to: &surplus) { surplus in
      stream.next_out = room > 0 ? output.baseAddress.map { $0 + produced } : surplus
      stream.avail_out = UInt32(max(1, room))
      return inflate(&stream, Z_NO_FLUSH)
    }
    produced += max(1, room) - Int(stream.avail_out)
    guard produced <= output.count else {
      throw FormatError(.inflateSizeMismatch, expected: "\(output.count) bytes", found: "more")
    }
    switch code {
    case Z_STREAM_END:
      try checkEnd(
        produced, output.count, unread: Int(stream.avail_in) + range.upperBound - position)
      return produced
    case Z_OK: continue
    case Z_BUF_ERROR where stream.avail_in == 0 && position < range.upperBound: continue
    case Z_BUF_ERROR: throw FormatError(.inflateCorrupt, found: "the stream does not end")
    default: throw FormatError(.inflateCorrupt, found: "zlib error \(code)")
    }
  }
}

private func checkEnd(_ produced: Int, _ size: Int, unread: Int) throws {
  guard produced == size, unread == 0 else {
    throw FormatError(
      .inflateSizeMismatch, expected: "\(size) bytes",
      found: unread == 0 ? "\(produced)" : "\(unread) bytes after the stream's end")
  }
}
