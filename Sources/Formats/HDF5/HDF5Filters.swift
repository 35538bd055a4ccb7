import CZlib
import CZstd

/// What the filters do to a chunk's bytes.
///
/// They are our own, so that no chunk can grow beyond what it is said to be, and so that several
/// threads can work on chunks while the library serves one.
extension HDF5Filter {
  /// What a chunk may take at any stage: filters that gain nothing add little.
  static func byteLimit(_ size: Int) -> Int { 2 * size + 4096 }

  /// Undoes the filters, last one first.
  ///
  /// - Parameters:
  ///   - skipped: a bit for every filter that this chunk was stored without.
  ///   - size: the bytes there must be in the end.
  /// - Throws: `FormatError` with code `storageSizeMismatch`, `inflateCorrupt`,
  ///   `inflateSizeMismatch`, `zstdCorrupt` or `checksumMismatch`.
  static func decode(
    _ stored: [UInt8], _ filters: [HDF5Filter], skipped: UInt32, size: Int
  ) throws -> [UInt8] {
    var bytes = stored
    for (place, filter) in filters.enumerated().reversed() where skipped >> place & 1 == 0 {
      bytes = try filter.decode(bytes, limit: byteLimit(size))
    }
    guard bytes.count == size else {
      throw FormatError(
        .storageSizeMismatch, expected: "a chunk of \(size) bytes", found: "\(bytes.count)")
    }
    return bytes
  }

  private func decode(_ bytes: [UInt8], limit: Int) throws -> [UInt8] {
    switch self {
    case .deflate: try inflateStream(bytes, limit: limit)
    case .zstd: try decompressFrames(bytes, limit: limit)
    case .shuffle(let elementBytes): unshuffled(bytes, elementBytes)
    case .fletcher32: try withoutFletcher32(bytes)
    }
  }
}

extension HDF5ChunkPlan {
  /// Applies the filters to a chunk's bytes.
  func encode(_ bytes: [UInt8]) throws -> [UInt8] {
    let bytes = shuffles ? shuffled(bytes, elementBytes) : bytes
    switch compression {
    case .none: return bytes
    case .gzip(let level): return deflated(bytes, level: Int32(level))
    case .zstd(let level): return try compressedFrame(bytes, level: Int32(level))
    }
  }
}

private func deflated(_ bytes: [UInt8], level: Int32) -> [UInt8] {
  var count = compressBound(UInt(bytes.count))
  return [UInt8](unsafeUninitializedCapacity: Int(count)) { output, initialized in
    let code = compress2(output.baseAddress, &count, bytes, UInt(bytes.count), level)
    precondition(code == Z_OK, "there is room for what zlib may need, at a level that exists")
    initialized = Int(count)
  }
}

private func compressedFrame(_ bytes: [UInt8], level: Int32) throws -> [UInt8] {
  let limit = ZSTD_compressBound(bytes.count)
  return try [UInt8](unsafeUninitializedCapacity: limit) { output, initialized in
    let count = ZSTD_compress(output.baseAddress, limit, bytes, bytes.count, level)
    guard ZSTD_isError(count) == 0 else {
      throw FormatError(.ioError, found: String(cString: ZSTD_getErrorName(count)))
    }
    initialized = count
  }
}

/// Inflates a zlib stream that must end with the bytes.
private func inflateStream(_ bytes: [UInt8], limit: Int) throws -> [UInt8] {
  var stream = z_stream()
  let code = inflateInit_(&stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
  precondition(code == Z_OK, "zlib could not start")
  defer { inflateEnd(&stream) }
  var input = bytes
  return try [UInt8](unsafeUninitializedCapacity: limit) { output, initialized in
    let code = input.withUnsafeMutableBufferPointer { input in
      stream.next_in = input.baseAddress
      stream.avail_in = UInt32(input.count)
      stream.next_out = output.baseAddress
      stream.avail_out = UInt32(limit)
      return inflate(&stream, Z_FINISH)
    }
    guard code == Z_STREAM_END, stream.avail_in == 0 else {
      throw FormatError(
        stream.avail_out == 0 ? .inflateSizeMismatch : .inflateCorrupt,
        found: code == Z_STREAM_END
          ? "\(stream.avail_in) bytes after the stream's end" : "zlib error \(code)")
    }
    initialized = limit - Int(stream.avail_out)
  }
}

private func decompressFrames(_ bytes: [UInt8], limit: Int) throws -> [UInt8] {
  try [UInt8](unsafeUninitializedCapacity: limit) { output, initialized in
    let count = bytes.withUnsafeBytes {
      ZSTD_decompress(output.baseAddress, limit, $0.baseAddress, $0.count)
    }
    guard ZSTD_isError(count) == 0 else {
      throw FormatError(.zstdCorrupt, found: String(cString: ZSTD_getErrorName(count)))
    }
    initialized = count
  }
}

/// Puts elements together whose first bytes, second bytes and so on are stored side by side.
///
/// Bytes that make no whole element stand at the end, unmoved.
func unshuffled(_ bytes: [UInt8], _ elementBytes: Int) -> [UInt8] {
  rearranged(bytes, elementBytes) { source, target, plane, element in
    target[element] = source[plane]
  }
}

/// The opposite of `unshuffled`.
func shuffled(_ bytes: [UInt8], _ elementBytes: Int) -> [UInt8] {
  rearranged(bytes, elementBytes) { source, target, plane, element in
    target[plane] = source[element]
  }
}

private func rearranged(
  _ bytes: [UInt8], _ elementBytes: Int,
  _ move: (
    _ source: UnsafeBufferPointer<UInt8>, _ target: UnsafeMutableBufferPointer<UInt8>,
    _ plane: Int, _ element: Int
  ) -> Void
) -> [UInt8] {
  let elements = bytes.count / elementBytes
  guard elementBytes > 1, elements > 1 else { return bytes }
  return [UInt8](unsafeUninitializedCapacity: bytes.count) { target, initialized in
    bytes.withUnsafeBufferPointer { source in
      for byte in 0..<elementBytes {
        for element in 0..<elements {
          move(source, target, byte * elements + element, element * elementBytes + byte)
        }
      }
      for rest in elements * elementBytes..<bytes.count { target[rest] = source[rest] }
    }
    initialized = bytes.count
  }
}

/// Compares the checksum behind the bytes and takes it off.
private func withoutFletcher32(_ bytes: [UInt8]) throws -> [UInt8] {
  guard bytes.count >= 4 else {
    throw FormatError(.truncated, expected: "a checksum", found: "\(bytes.count) bytes")
  }
  let content = bytes.dropLast(4)
  let stored = bytes.suffix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
  guard fletcher32(content) == stored else { throw FormatError(.checksumMismatch) }
  return Array(content)
}

/// The Fletcher-32 checksum over big-endian 16-bit words, an odd last byte being a word's first.
func fletcher32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
  // Sums modulo 65,535, where 65,535 itself stands for zero once there was any other word.
  var (first, second) = (UInt64(0), UInt64(0))
  bytes.withUnsafeBufferPointer { bytes in
    for place in stride(from: 0, to: bytes.count, by: 2) {
      let low = place + 1 < bytes.count ? UInt64(bytes[place + 1]) : 0
      first = folded(first + (UInt64(bytes[place]) << 8 | low))
      second = folded(second + first)
    }
  }
  return UInt32(second) << 16 | UInt32(first)
}

/// The sum's remainder modulo 65,535, but never zero for what is not.
private func folded(_ sum: UInt64) -> UInt64 { sum > 0xFFFF ? sum - 0xFFFF : sum }
