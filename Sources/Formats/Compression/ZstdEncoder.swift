import CZstd
import Support

/// Compresses a stream into one zstd frame with its size and checksum.
///
/// The bytes depend on the input and the level alone: at least one worker is used always, and
/// zstd's output does not depend on how many there are.
final class ZstdEncoder {
  private let context: OpaquePointer

  /// zstd's own default.
  static let level: Int32 = 3

  /// - Parameter size: the bytes that will come.
  init(size: Int) throws {
    guard let context = ZSTD_createCCtx() else {
      throw FormatError(.ioError, found: "zstd could not start")
    }
    self.context = context
    try check(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Self.level))
    try check(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1))
    // A library built without threads refuses; its output is then that of one thread.
    _ = ZSTD_CCtx_setParameter(context, ZSTD_c_nbWorkers, Int32(max(1, Threads.count)))
    try check(ZSTD_CCtx_setPledgedSrcSize(context, UInt64(size)))
  }

  deinit { ZSTD_freeCCtx(context) }

  /// Compresses the input and hands what is ready to `body`, a piece of `output` at a time.
  func encode(
    _ input: UnsafeRawBufferPointer, isLast: Bool, through output: UnsafeMutableRawBufferPointer,
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
    while true {
      var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
      let rest = ZSTD_compressStream2(
        context, &target, &source, isLast ? ZSTD_e_end : ZSTD_e_continue)
      try check(rest)
      if target.pos > 0 { try body(UnsafeRawBufferPointer(output.first(target.pos))) }
      if isLast ? rest == 0 : source.pos == source.size { return }
    }
  }

  private func check(_ code: Int) throws {
    guard ZSTD_isError(code) == 0 else {
      throw FormatError(.ioError, found: "zstd: " + String(cString: ZSTD_getErrorName(code)))
    }
  }
}
