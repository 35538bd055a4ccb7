/// Reads what lies inside a zstd or gzip file, from front to back.
///
/// Frames may follow one another; their checksums and sizes are held against the data, and
/// nothing may follow the last. Memory is a window and two buffers, whatever a frame claims.
final class Decompressor {
  private let file: InputFile
  private let decoder: any FrameDecoder
  private let input: UnsafeMutableRawBufferPointer
  /// The part of the input buffer that has been read from the file and not yet used.
  private var unread = 0..<0
  /// Where the file is read from next.
  private var position = 0
  private var frameCount = 0
  private var isInFrame = false

  private static let frameLimit = 65_536

  init(_ file: InputFile, _ compression: Compression) throws {
    self.file = file
    decoder =
      switch compression {
      case .zstd: try ZstdDecoder()
      case .gzip: try GzipDecoder()
      }
    input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 64)
  }

  deinit { input.deallocate() }

  /// Fills the front of the buffer and returns how many bytes that were; zero is the end.
  ///
  /// - Throws: `FormatError` with code `truncated`, `trailingBytes`, `frameLimit`, `sizeMismatch`,
  ///   `checksumMismatch`, `zstdWindow`, `zstdCorrupt` or `gzipCorrupt`.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var done = 0
    while done < buffer.count {
      if !isInFrame, try !openFrame() { break }
      if unread.isEmpty { try fill() }
      let progress = try decoder.decode(
        UnsafeRawBufferPointer(rebasing: input[unread]),
        into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]), offset: offset)
      unread = unread.lowerBound + progress.consumed..<unread.upperBound
      done += progress.produced
      isInFrame = !progress.isAtEnd
      // A decoder stands still only when it has handed out all it holds and gets nothing new.
      guard progress.isAtEnd || progress.consumed + progress.produced > 0 else {
        throw FormatError(
          .truncated, offset: file.size, expected: "the rest of a compressed frame")
      }
    }
    return done
  }

  /// The bytes of the file that have been decoded.
  var consumedCount: Int { position - unread.count }

  private var offset: Int { consumedCount }

  /// Starts the next frame; false at the end of the file.
  private func openFrame() throws -> Bool {
    try refill(atLeast: decoder.longestHeader)
    let head = UnsafeRawBufferPointer(rebasing: input[unread])
    if head.isEmpty { return false }
    if frameCount > 0, try isPadding(head) { return false }
    guard frameCount < Self.frameLimit else {
      throw FormatError(
        .frameLimit, offset: offset, expected: "at most \(Self.frameLimit) frames")
    }
    frameCount += 1
    try decoder.open(head, offset: offset, isFirst: frameCount == 1)
    isInFrame = true
    return true
  }

  /// Whether only zeros are left, which tapes and disks append to gzip files.
  private func isPadding(_ head: UnsafeRawBufferPointer) throws -> Bool {
    guard decoder.allowsZeroPadding, head.first == 0 else { return false }
    let start = offset
    while !unread.isEmpty {
      if let place = input[unread].firstIndex(where: { $0 != 0 }) {
        throw FormatError(
          .trailingBytes, offset: offset + place - unread.lowerBound,
          expected: "zeros or another frame from \(start)")
      }
      unread = 0..<0
      try fill()
    }
    return true
  }

  /// Moves what is unread to the front and completes it from the file.
  private func refill(atLeast count: Int) throws {
    guard unread.count < count, position < file.size else { return }
    let rest = Array(input[unread])
    input.copyBytes(from: rest)
    unread = 0..<rest.count
    try fill()
  }

  private func fill() throws {
    if unread.isEmpty { unread = 0..<0 }
    let count = min(input.count - unread.upperBound, file.size - position)
    guard count > 0 else { return }
    let target = input[unread.upperBound..<unread.upperBound + count]
    try file.read(into: UnsafeMutableRawBufferPointer(rebasing: target), at: position)
    position += count
    unread = unread.lowerBound..<unread.upperBound + count
  }
}

/// What one call of a decoder used and made.
struct DecoderProgress {
  var consumed: Int
  var produced: Int
  /// Whether the frame is complete, its checksum included.
  var isAtEnd: Bool
}

/// One compression format's frames.
protocol FrameDecoder {
  /// The bytes that `open` wants to see, if the file has them.
  var longestHeader: Int { get }
  var allowsZeroPadding: Bool { get }
  func open(_ head: UnsafeRawBufferPointer, offset: Int, isFirst: Bool) throws
  func decode(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, offset: Int
  ) throws -> DecoderProgress
}
