/// Reads a range of a file from front to back.
final class FileRangeReader: TensorReader {
  private let file: InputFile
  private var position: Int
  private let end: Int
  let isStreaming = true

  init(_ file: InputFile, _ range: Range<Int>) {
    self.file = file
    position = range.lowerBound
    end = range.upperBound
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = min(buffer.count, end - position)
    try file.read(into: buffer.first(count), at: position)
    position += count
    return count
  }
}

/// Hands out bytes that are in memory already.
final class BytesReader: TensorReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let part = rest.prefix(buffer.count)
    buffer.copyBytes(from: part)
    rest = rest.dropFirst(part.count)
    return part.count
  }
}

/// Applies a transform to what another reader hands out.
final class TransformingReader: TensorReader {
  private let base: any TensorReader
  private let transform: ElementTransform

  var isStreaming: Bool { base.isStreaming }

  init(_ base: any TensorReader, _ transform: ElementTransform) {
    self.base = base
    self.transform = transform
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    // Buffers are whole elements long, save the last one's end, which is the tensor's too.
    let count = try base.read(into: buffer)
    transform.apply(to: buffer.first(count))
    return count
  }
}

extension TensorReader {
  /// The reader behind a transform, or the reader itself when there is nothing to do.
  func applying(_ transform: ElementTransform) -> any TensorReader {
    transform.isIdentity ? self : TransformingReader(self, transform)
  }

  /// All bytes that are left, which must be as many as is said.
  ///
  /// - Throws: `FormatError` with code `sizeMismatch`.
  func bytes(count: Int) throws -> [UInt8] {
    let bytes = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      initialized = try read(into: UnsafeMutableRawBufferPointer(buffer))
    }
    guard bytes.count == count else {
      throw FormatError(.sizeMismatch, expected: "\(count) bytes", found: "\(bytes.count)")
    }
    return bytes
  }
}
