import CKernels
import Support

extension TorchCheckpoint {
  /// The cheapest way to a tensor's bytes that its record allows.
  func makeReader(_ index: Int) throws -> any TensorReader {
    let (view, entry) = (views[index], entries[index])
    guard view.span > 0 else { return BytesReader([]) }
    let base = try baseReader(view, entry)
    guard archive.isBigEndian || view.isConjugated || view.isNegated else { return base }
    return TransformingReader(
      base, TorchTransform(view: view, swapsBytes: archive.isBigEndian))
  }

  private func baseReader(_ view: TorchView, _ entry: ZipEntry) throws -> any TensorReader {
    let zip = archive.zip
    guard entry.method == .stored else {
      let record = try zip.contents(of: entry, limit: Budgets.materialisedBytes)
      let bytes = record[view.byteRange]
      return view.isContiguous ? BytesReader(bytes) : StridedReader(Array(bytes), view)
    }
    if view.isContiguous, view.byteRange.count == entry.compressedSize {
      return RecordReader(zip, entry)
    }
    try verifyOnce(entry)
    let range =
      entry.dataOffset + view.byteRange.lowerBound..<entry.dataOffset + view.byteRange.upperBound
    if view.isContiguous { return FileRangeReader(file, range) }
    return StridedReader(try file.bytes(range), view)
  }

  /// A part of a record has no checksum of its own, so the whole is checked the first time.
  private func verifyOnce(_ entry: ZipEntry) throws {
    guard !verified.withLock({ $0.contains(entry.headerOffset) }) else { return }
    try archive.zip.verifyStored(entry)
    verified.withLock { _ = $0.insert(entry.headerOffset) }
  }
}

/// Reads a whole stored record and compares its checksum at the end.
final class RecordReader: TensorReader {
  private let zip: ZipArchive
  private let entry: ZipEntry
  private var done = 0
  private var crc: UInt32 = 0

  init(_ zip: ZipArchive, _ entry: ZipEntry) {
    self.zip = zip
    self.entry = entry
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = min(buffer.count, entry.compressedSize - done)
    guard count > 0 else { return 0 }
    let part = buffer.first(count)
    try zip.file.read(into: part, at: entry.dataOffset + done)
    done += count
    if zip.checksCRC {
      crc = wt_crc32(crc, part.baseAddress, count)
      if done == entry.compressedSize {
        try naming(file: zip.file.path) { try zip.check(entry, crc) }
      }
    }
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

/// Gathers a strided view into C order.
final class StridedReader: TensorReader {
  private let bytes: [UInt8]
  private let width: Int
  private let dimensions: [(extent: Int, stride: Int)]
  private let elementCount: Int
  private var position = 0

  /// - Parameter bytes: what the view spans, from its first element to its last.
  init(_ bytes: [UInt8], _ view: TorchView) {
    self.bytes = bytes
    width = view.elementBytes
    dimensions = view.collapsed
    elementCount = view.info.elementCount
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = min(buffer.count / width, elementCount - position)
    let inner = dimensions.last ?? (1, 1)
    var done = 0
    while done < count {
      let run = min(inner.extent - position % inner.extent, count - done)
      copyRun(run, stride: inner.stride, to: buffer, at: done)
      position += run
      done += run
    }
    return count * width
  }

  /// Copies elements that lie along the innermost dimension.
  private func copyRun(
    _ run: Int, stride: Int, to buffer: UnsafeMutableRawBufferPointer, at done: Int
  ) {
    bytes.withUnsafeBytes { source in
      let start = sourceIndex * width
      if stride == 1 {
        buffer[(done * width)...].copyMemory(from: source, start, run * width)
        return
      }
      for element in 0..<run {
        buffer[((done + element) * width)...]
          .copyMemory(from: source, start + element * stride * width, width)
      }
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

extension Slice<UnsafeMutableRawBufferPointer> {
  fileprivate func copyMemory(from source: UnsafeRawBufferPointer, _ start: Int, _ count: Int) {
    UnsafeMutableRawBufferPointer(rebasing: self)
      .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[start..<start + count]))
  }
}
