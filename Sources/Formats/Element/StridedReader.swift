/// Gathers elements that lie apart into C order.
final class StridedReader: TensorReader {
  private let bytes: [UInt8]
  private let width: Int
  private let dimensions: [(extent: Int, stride: Int)]
  private let elementCount: Int
  private var position = 0

  /// - Parameter bytes: what the layout spans, from its first element to its last.
  init(_ bytes: [UInt8], _ layout: StridedLayout) {
    precondition(bytes.count == layout.span * layout.elementBytes, "the layout spans the bytes")
    self.bytes = bytes
    width = layout.elementBytes
    dimensions = layout.collapsed
    elementCount = layout.elementCount
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = min(buffer.count / width, elementCount - position)
    let inner = dimensions.last ?? (1, 1)
    var done = 0
    while done < count {
      let run = min(inner.extent - position % inner.extent, count - done)
      let target = UnsafeMutableRawBufferPointer(
        rebasing: buffer[done * width..<(done + run) * width])
      bytes.withUnsafeBytes { copyRun(run, stride: inner.stride, from: $0, to: target) }
      position += run
      done += run
    }
    return count * width
  }

  /// Copies elements that lie along the innermost dimension.
  private func copyRun(
    _ run: Int, stride: Int, from bytes: UnsafeRawBufferPointer,
    to target: UnsafeMutableRawBufferPointer
  ) {
    let start = sourceIndex * width
    let source = UnsafeRawBufferPointer(rebasing: bytes[start...])
    if stride == 1 {
      target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<target.count]))
      return
    }
    gather(run, stride: stride, from: source, to: target)
  }

  private func gather(
    _ run: Int, stride: Int, from source: UnsafeRawBufferPointer,
    to target: UnsafeMutableRawBufferPointer
  ) {
    switch width {
    case 1: gather(run, stride, source, target, UInt8.self)
    case 2: gather(run, stride, source, target, UInt16.self)
    case 4: gather(run, stride, source, target, UInt32.self)
    case 8: gather(run, stride, source, target, UInt64.self)
    default: gather(run, stride, source, target, SIMD2<UInt64>.self)
    }
  }

  private func gather<Word: BitwiseCopyable>(
    _ run: Int, _ stride: Int, _ source: UnsafeRawBufferPointer,
    _ target: UnsafeMutableRawBufferPointer, _ type: Word.Type
  ) {
    for element in 0..<run {
      let word = source.loadUnaligned(fromByteOffset: element * stride * width, as: type)
      target.storeBytes(of: word, toByteOffset: element * width, as: type)
    }
  }

  /// Where the element at `position` lies, in elements.
  private var sourceIndex: Int {
    var (rest, index) = (position, 0)
    for dimension in dimensions.reversed() {
      index += rest % dimension.extent * dimension.stride
      rest /= dimension.extent
    }
    return index
  }
}
