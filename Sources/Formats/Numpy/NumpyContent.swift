/// Where in its pickle the bytes of an array are, and how they are written.
struct NumpyContent: Sendable, Hashable {
  enum Encoding: Sendable { case bytes, latin1 }

  let range: Range<Int>
  let encoding: Encoding

  /// Finds the bytes: a byte string, or what protocol 2 writes in its place, which is
  /// `_codecs.encode(text, 'latin1')` and `bytes()` for none at all.
  ///
  /// - Throws: `FormatError` with code `badArrayState`.
  init(_ id: PickleDocument.ID, in document: PickleDocument) throws {
    if let span = document.span(id) {
      range = span
      encoding = document.isText(id) ? .latin1 : .bytes
      return
    }
    guard let call = document.call(id) else { throw Self.bad("a \(document.kind(id))") }
    let text = call.arguments.first.flatMap { document.isText($0) ? document.span($0) : nil }
    switch (call.callee.qualified, text, call.arguments.count) {
    case ("_codecs.encode", let span?, 2)
    where document.string(call.arguments[1]).map(Self.isLatin1) ?? false:
      range = span
      encoding = .latin1
    case ("builtins.bytes", _, 0), ("__builtin__.bytes", _, 0):
      range = 0..<0
      encoding = .bytes
    default: throw Self.bad("a call of \(call.callee.qualified)")
    }
  }

  private static func isLatin1(_ name: String) -> Bool {
    ["latin1", "latin-1", "iso-8859-1"].contains(name)
  }

  private static func bad(_ found: String) -> FormatError {
    FormatError(.badArrayState, expected: "the array's bytes", found: found)
  }

  /// Counts the bytes; text has to be read for that.
  ///
  /// - Throws: `FormatError` with code `badArrayState` when the text is not Latin-1.
  func byteCount(in file: InputFile) throws -> Int {
    guard encoding == .latin1 else { return range.count }
    let reader = Latin1Reader(file, range)
    return try withChunk(of: chunkBytes) { buffer in
      var total = 0
      while case let count = try reader.read(into: buffer), count > 0 { total += count }
      return total
    }
  }

  func reader(in file: InputFile) -> any TensorReader {
    encoding == .latin1 ? Latin1Reader(file, range) : FileRangeReader(file, range)
  }
}

extension PickleDocument {
  /// Whether a value is Unicode text, not Python 2's byte string.
  fileprivate func isText(_ id: ID) -> Bool {
    kind(id) == .string && !nodes[Int(id)].isByteString
  }
}

/// Turns UTF-8 text in a file into bytes, one for each character up to U+00FF.
final class Latin1Reader: TensorReader {
  private let file: InputFile
  private var position: Int
  private let end: Int

  init(_ file: InputFile, _ range: Range<Int>) {
    self.file = file
    position = range.lowerBound
    end = range.upperBound
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var done = 0
    while done < buffer.count, position < end {
      // A character takes one byte or two, so what is read always finds room.
      let count = min(buffer.count - done, end - position)
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
      try file.read(into: part, at: position)
      let (consumed, produced) = try decode(part)
      position += consumed
      done += produced
      guard consumed > 0 else { return try done + decodeLast(into: buffer, at: done) }
    }
    return done
  }

  /// Decodes in place as far as whole characters go.
  private func decode(
    _ part: UnsafeMutableRawBufferPointer
  ) throws -> (consumed: Int, produced: Int) {
    var (source, target) = (0, 0)
    while source < part.count {
      let byte = part[source]
      if byte < 0x80 {
        part[target] = byte
        source += 1
      } else {
        // The lead bytes C2 and C3 are those of U+0080 to U+00FF.
        guard byte == 0xC2 || byte == 0xC3 else { throw bad(position + source) }
        guard source + 1 < part.count else { break }
        guard part[source + 1] & 0xC0 == 0x80 else { throw bad(position + source) }
        part[target] = byte << 6 | part[source + 1] & 0x3F
        source += 2
      }
      target += 1
    }
    return (source, target)
  }

  /// Decodes one character of two bytes when there is room for but one.
  private func decodeLast(
    into buffer: UnsafeMutableRawBufferPointer, at done: Int
  ) throws -> Int {
    guard end - position >= 2 else { throw bad(position) }
    let pair = try file.bytes(position..<position + 2)
    guard pair[1] & 0xC0 == 0x80 else { throw bad(position) }
    buffer[done] = pair[0] << 6 | pair[1] & 0x3F
    position += 2
    return 1
  }

  private func bad(_ offset: Int) -> FormatError {
    FormatError(
      .badArrayState, file: file.path, offset: offset,
      expected: "characters up to U+00FF that stand for bytes")
  }
}
