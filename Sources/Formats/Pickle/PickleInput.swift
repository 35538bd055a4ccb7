/// The bytes that a pickle is read from: an array, or a file seen through a window.
///
/// Weights and arrays make files of gigabytes whose pickles are small, so only what is looked at
/// is ever in memory.
struct PickleInput: ByteSource {
  private let file: InputFile?
  private var window: [UInt8]
  /// Where the window starts in the input.
  private var windowStart = 0
  /// The next byte's place in the window.
  private var place = 0
  /// All bytes of the input.
  let size: Int

  private static let windowBytes = 1 << 16

  init(_ bytes: [UInt8]) {
    file = nil
    window = bytes
    size = bytes.count
  }

  init(_ file: InputFile) {
    self.file = file
    window = []
    size = file.size
  }

  /// Bytes from the start of the input.
  var offset: Int { windowStart + place }
  var remaining: Int { size - offset }
  var isAtEnd: Bool { remaining == 0 }

  mutating func u8() throws -> UInt8 {
    if place == window.count {
      try require(1)
      try fill(1)
    }
    place += 1
    return window[place - 1]
  }

  mutating func slice(_ count: Int) throws -> ArraySlice<UInt8> {
    try require(count)
    try fill(count)
    defer { place += count }
    return window[place..<place + count]
  }

  /// Passes over bytes that need not be looked at.
  mutating func skip(_ count: Int) throws {
    try require(count)
    if count <= window.count - place {
      place += count
    } else {
      (windowStart, place, window) = (offset + count, 0, [])
    }
  }

  /// Checks that as many bytes are left.
  func require(_ count: Int, orThrow code: FormatError.Code = .truncated) throws {
    guard count >= 0, count <= remaining else {
      throw FormatError(
        code, offset: offset, expected: "\(count) more bytes", found: "\(remaining)")
    }
  }

  /// Moves the window so that it holds the next bytes, which are known to exist.
  private mutating func fill(_ count: Int) throws {
    guard let file, count > window.count - place else { return }
    let start = offset
    window = try file.bytes(start..<start + min(remaining, max(count, Self.windowBytes)))
    (windowStart, place) = (start, 0)
  }
}
