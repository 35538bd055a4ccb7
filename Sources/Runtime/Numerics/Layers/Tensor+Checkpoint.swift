import CKernels
import Formats
import Support

extension Tensor {
  /// A tensor of floats where it lies in its file; nil where it cannot be used so.
  ///
  /// - Throws: `FormatError` with code `fileChanged` or `ioError`.
  public init?(mapping checkpoint: any Checkpoint, _ place: Int) throws {
    let info = checkpoint.tensors[place]
    guard info.dtype == .float32, let mapped = try checkpoint.mapped(place),
      let address = mapped.bytes.baseAddress,
      UInt(bitPattern: address).isMultiple(of: UInt(MemoryLayout<Float>.alignment))
    else { return nil }
    precondition(mapped.bytes.count == info.byteCount)
    let storage = TensorStorage(
      address, byteCount: info.byteCount, unload: { mapped.unload() },
      release: { _, _ in withExtendedLifetime(mapped.owner) {} })
    self.init(storage, offset: 0, shape: info.shape, strides: Self.packedStrides(info.shape))
  }

  /// Reads a tensor of a checkpoint as floats.
  ///
  /// - Throws: `FormatError` when it cannot be read, `RuntimeError` with code `badInput` when it
  ///   does not hold real numbers.
  public init(reading checkpoint: any Checkpoint, _ place: Int) throws {
    let info = checkpoint.tensors[place]
    self.init(uninitialised: info.shape)
    let reader = try checkpoint.reader(of: place)
    if info.dtype == .float32 {
      let bytes = UnsafeMutableRawBufferPointer(start: pointer, count: info.byteCount)
      try Self.fill(bytes, from: reader, info)
      return
    }
    let (decoder, width) = try checkpoint.realDecoder(of: place)
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: width << 16, alignment: 64)
    defer { piece.deallocate() }
    var next = pointer
    var remaining = info.byteCount
    while remaining > 0 {
      let part = UnsafeMutableRawBufferPointer(rebasing: piece[..<min(piece.count, remaining)])
      try Self.fill(part, from: reader, info)
      next += Self.decode(part, info.dtype, decoder, into: next)
      remaining -= part.count
    }
  }

  /// Turns a piece of a tensor into floats, and returns how many these are.
  private static func decode(
    _ piece: UnsafeMutableRawBufferPointer, _ dtype: DType, _ decoder: ElementDecoder,
    into target: UnsafeMutablePointer<Float>
  ) -> Int {
    let halves = piece.bindMemory(to: UInt16.self)
    switch (dtype, halves.baseAddress) {
    case (.bfloat16, let base?):
      wt_from_bfloat16(target, base, halves.count)
      return halves.count
    case (.float16, let base?):
      wt_from_float16(target, base, halves.count)
      return halves.count
    default:
      var count = 0
      decoder.forEach(UnsafeRawBufferPointer(piece)) {
        target[count] = Float($0)
        count += 1
      }
      return count
    }
  }

  private static func fill(
    _ bytes: UnsafeMutableRawBufferPointer, from reader: any TensorReader, _ info: TensorInfo
  ) throws {
    let found = try reader.read(into: bytes)
    guard found == bytes.count else {
      throw FormatError(
        .truncated, subject: info.name, expected: "\(bytes.count) more bytes", found: "\(found)")
    }
  }
}

extension Checkpoint {
  /// What makes numbers of a tensor's bytes, and the bytes of each.
  ///
  /// - Throws: `RuntimeError` with code `badInput` when they are no real numbers.
  func realDecoder(of place: Int) throws -> (decoder: ElementDecoder, width: Int) {
    let info = tensors[place]
    guard let decoder = ElementDecoder(info.dtype), decoder.numbersPerElement == 1,
      let width = info.dtype.byteWidth
    else {
      throw RuntimeError(
        .badInput, file: path, subject: info.name.text, expected: "real numbers",
        found: info.dtype.rawValue)
    }
    return (decoder, width)
  }
}
