import CZlib
import CZstd

/// Writes gzip members and zstd frames whose every field a test can turn into a lie.
public enum CompressionBuilder {
  /// A gzip member of the content.
  public static func gzip(
    _ content: [UInt8], flags: UInt8 = 0, extra: [UInt8] = [], crc: UInt32? = nil,
    size: UInt32? = nil
  ) -> [UInt8] {
    let checksum = UInt32(truncatingIfNeeded: crc32(0, content, UInt32(content.count)))
    return [0x1F, 0x8B, 8, flags, 0, 0, 0, 0, 0, 255] + extra + deflated(content)
      + le(crc ?? checksum, 4) + le(size ?? UInt32(content.count), 4)
  }

  /// A frame as libzstd writes it, with size and checksum.
  public static func zstd(_ content: [UInt8], hasChecksum: Bool = true) -> [UInt8] {
    guard let context = ZSTD_createCCtx() else { preconditionFailure("no memory") }
    defer { ZSTD_freeCCtx(context) }
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, hasChecksum ? 1 : 0)
    var output = [UInt8](repeating: 0, count: ZSTD_compressBound(content.count))
    let count = ZSTD_compress2(context, &output, output.count, content, content.count)
    precondition(ZSTD_isError(count) == 0)
    return Array(output[..<count])
  }

  /// A frame of one raw block, put together by hand.
  ///
  /// - Parameters:
  ///   - descriptor: the frame header descriptor (RFC 8878, §3.1.1.1.1).
  ///   - fields: what follows it up to the first block.
  public static func frame(
    descriptor: UInt8, fields: [UInt8], _ content: [UInt8], blockType: UInt8 = 0,
    suffix: [UInt8] = []
  ) -> [UInt8] {
    let header = UInt32(content.count) << 3 | UInt32(blockType) << 1 | 1
    return [0x28, 0xB5, 0x2F, 0xFD, descriptor] + fields + le(header, 3) + content + suffix
  }

  /// A frame of runs, each 128 KiB from four bytes.
  public static func runs(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0, 7 << 3]
    for index in 0..<count {
      bytes += le(UInt32(1 << 17) << 3 | 1 << 1 | (index == count - 1 ? 1 : 0), 3) + [0]
    }
    return bytes
  }

  /// A frame that decoders pass over.
  public static func skippable(_ content: [UInt8] = []) -> [UInt8] {
    [0x50, 0x2A, 0x4D, 0x18] + le(UInt32(content.count), 4) + content
  }

  private static func le(_ value: UInt32, _ width: Int) -> [UInt8] {
    (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}

/// A raw deflate stream.
func deflated(_ bytes: [UInt8]) -> [UInt8] {
  var stream = z_stream()
  deflateInit2_(
    &stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
    Int32(MemoryLayout<z_stream>.size))
  defer { deflateEnd(&stream) }
  var input = bytes
  var output = [UInt8](repeating: 0, count: bytes.count + 64)
  return input.withUnsafeMutableBufferPointer { input in
    output.withUnsafeMutableBufferPointer { output in
      stream.next_in = input.baseAddress
      stream.avail_in = UInt32(input.count)
      stream.next_out = output.baseAddress
      stream.avail_out = UInt32(output.count)
      deflate(&stream, Z_FINISH)
      return Array(output[..<Int(stream.total_out)])
    }
  }
}
