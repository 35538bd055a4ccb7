import Formats

/// A tensor whose numbers are calculated front to back, a piece at a time, in double precision, and
/// rounded once to the tensor's own type.
final class NumberReader: TensorReader {
  /// Fills the buffer with the numbers of an index range; ranges follow one another.
  typealias Producer = (Range<Int>, UnsafeMutableBufferPointer<Double>) throws -> Void

  /// A piece of this many numbers stays in the processor's second-level cache.
  static let defaultPiece = 1 << 14

  let isCalculated = true
  private let coder: FloatCoder
  private let count: Int
  private let piece: Int
  private let produce: Producer
  private let numbers: UnsafeMutableBufferPointer<Double>
  private let encoded: UnsafeMutableRawBufferPointer
  /// The encoded bytes that were not handed out yet.
  private var pending = 0..<0
  private var produced = 0

  /// - Parameters:
  ///   - info: of a type that `FloatCoder` knows, which whoever plans the tensor has checked.
  ///   - piece: how many numbers are asked for at once, except at the end.
  init(_ info: TensorInfo, piece: Int = NumberReader.defaultPiece, _ produce: @escaping Producer) {
    guard let coder = FloatCoder(info.dtype) else {
      preconditionFailure("\(info.name) is planned as a number of type \(info.dtype.rawValue)")
    }
    self.coder = coder
    count = info.elementCount
    self.piece = max(1, min(piece, info.elementCount))
    self.produce = produce
    numbers = .allocate(capacity: self.piece)
    numbers.initialize(repeating: 0)
    encoded = .allocate(byteCount: self.piece * coder.width, alignment: 64)
  }

  deinit {
    numbers.deallocate()
    encoded.deallocate()
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var done = 0
    while done < buffer.count {
      if pending.isEmpty {
        guard produced < count else { break }
        try fillPending()
      }
      let part = encoded[pending].prefix(buffer.count - done)
      UnsafeMutableRawBufferPointer(rebasing: buffer[done...]).copyMemory(
        from: UnsafeRawBufferPointer(rebasing: part))
      pending = pending.lowerBound + part.count..<pending.upperBound
      done += part.count
    }
    return done
  }

  private func fillPending() throws {
    let range = produced..<min(produced + piece, count)
    let part = UnsafeMutableBufferPointer(rebasing: numbers[..<range.count])
    try produce(range, part)
    coder.encode(UnsafeBufferPointer(part), into: encoded)
    produced = range.upperBound
    pending = 0..<range.count * coder.width
  }
}

/// Reads a stored or calculated tensor as numbers, front to back.
final class NumberSource {
  private let reader: any TensorReader
  private let coder: FloatCoder
  private let name: TensorName
  private var bytes: [UInt8] = []

  /// - Throws: `SurgeryError` with code `notFloat`, or what opening the tensor throws.
  init(_ entry: Blueprint.Entry) throws {
    coder = try FloatCoder(checking: entry.info)
    reader = try entry.reader()
    name = entry.info.name
  }

  /// Fills the buffer with the numbers that follow.
  ///
  /// - Throws: `FormatError` with code `truncated` when there are fewer.
  func read(into numbers: UnsafeMutableBufferPointer<Double>) throws {
    let count = numbers.count * coder.width
    if bytes.count < count { bytes = [UInt8](repeating: 0, count: count) }
    try bytes.withUnsafeMutableBytes { buffer in
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
      let found = try reader.read(into: part)
      guard found == count else {
        throw FormatError(
          .truncated, subject: name, expected: "\(count) more bytes", found: "\(found)")
      }
      coder.decode(UnsafeRawBufferPointer(part), into: numbers)
    }
  }
}
