import CZstd

/// Decodes zstd frames through libzstd, with bounded windows and no dictionaries.
///
/// Source: RFC 8878.
final class ZstdDecoder: FrameDecoder {
  let longestHeader = 18
  let allowsZeroPadding = false
  private let context: OpaquePointer
  /// What the frame says its content is, if it says so.
  private var announced: UInt64?
  private var produced: UInt64 = 0

  /// 128 MiB, libzstd's own limit for streams.
  private static let windowLog: Int32 = 27

  init() throws {
    guard let context = ZSTD_createDCtx() else {
      throw FormatError(.ioError, found: "zstd could not start")
    }
    self.context = context
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Self.windowLog)
  }

  deinit { ZSTD_freeDCtx(context) }

  func open(_ head: UnsafeRawBufferPointer, offset: Int, isFirst: Bool) throws {
    let isData = head.starts(with: [0x28, 0xB5, 0x2F, 0xFD])
    let isSkippable =
      head.count >= 4 && head[0] & 0xF0 == 0x50
      && head[1..<4].elementsEqual([0x2A, 0x4D, 0x18])
    guard isData || isSkippable else {
      throw FormatError(
        head.count < 4 ? .truncated : .trailingBytes, offset: offset,
        expected: "another zstd frame or the end of the file")
    }
    // A frame whose size is unknown or cannot be told yet gives all ones and all ones less one.
    let size = ZSTD_getFrameContentSize(head.baseAddress, head.count)
    announced = isData && size < .max - 1 ? size : nil
    produced = 0
    ZSTD_DCtx_reset(context, ZSTD_reset_session_only)
  }

  func decode(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, offset: Int
  ) throws -> DecoderProgress {
    var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
    var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
    let rest = ZSTD_decompressStream(context, &target, &source)
    produced += UInt64(target.pos)
    if ZSTD_isError(rest) != 0 { throw failure(rest, offset + source.pos) }
    return DecoderProgress(consumed: source.pos, produced: target.pos, isAtEnd: rest == 0)
  }

  private func failure(_ code: Int, _ offset: Int) -> FormatError {
    let text = String(cString: ZSTD_getErrorName(code))
    switch ZSTD_getErrorCode(code) {
    case ZSTD_error_frameParameter_windowTooLarge:
      return FormatError(
        .zstdWindow, offset: offset, expected: "a window of at most 128 MiB",
        found: announced.map { "a frame of \($0) bytes" })
    case ZSTD_error_checksum_wrong: return FormatError(.checksumMismatch, offset: offset)
    case ZSTD_error_memory_allocation:
      return FormatError(.zstdWindow, offset: offset, found: text)
    default:
      // libzstd reports a wrong content size as corruption.
      if let announced, produced != announced,
        ZSTD_getErrorCode(code) == ZSTD_error_corruption_detected
      {
        return FormatError(
          .sizeMismatch, offset: offset, expected: "\(announced) bytes of content",
          found: "other than that, or a damaged frame")
      }
      return FormatError(.zstdCorrupt, offset: offset, found: text)
    }
  }
}
