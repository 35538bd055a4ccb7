/// Reads a chunked dataset in C order, a slab of a few chunks at a time.
final class HDF5ChunkedReader: TensorReader {
  private let structure: HDF5File
  private let dataset: HDF5Dataset
  private let chunks: HDF5Chunks
  private let slabs: HDF5Slabs
  private var nextSlab = 0
  private var bytes: [UInt8] = []
  private var position = 0
  /// The chunk that was decoded last, which may reach into the next slab.
  private var decoded: (place: [Int], bytes: [UInt8])?
  private var fillElement: [UInt8]?

  init(_ structure: HDF5File, _ dataset: HDF5Dataset, _ chunks: HDF5Chunks) {
    self.structure = structure
    self.dataset = dataset
    self.chunks = chunks
    slabs = HDF5Slabs(dataset, chunks, fileBytes: structure.input.size)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var done = 0
    while done < buffer.count {
      if position == bytes.count {
        guard nextSlab < slabs.count else { break }
        try naming(file: structure.input.file.path) {
          try naming(subject: dataset.info.name.text) { try load(slabs[nextSlab]) }
        }
        nextSlab += 1
      }
      let count = min(buffer.count - done, bytes.count - position)
      bytes.withUnsafeBytes {
        UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[position..<position + count]))
      }
      position += count
      done += count
    }
    return done
  }

  /// The bytes of a box of the dataset, which need not be one of the slabs.
  func bytes(of box: HDF5Box) throws -> [UInt8] {
    try load(box)
    position = bytes.count
    return bytes
  }

  private func load(_ slab: HDF5Box) throws {
    position = 0
    if try loadWhole(slab) { return }
    let count = slab.elementCount * dataset.elementBytes
    if bytes.count != count { bytes = [UInt8](repeating: 0, count: count) }
    let chunkCount = slab.chunkCount(of: chunks.shape)
    // Where there are more chunks than are looked up at once, one may be missing later on.
    if chunkCount > Self.batch { try fill() }
    for start in stride(from: 0, to: chunkCount, by: Self.batch) {
      try load(slab, start..<min(start + Self.batch, chunkCount), isFilled: chunkCount > Self.batch)
    }
  }

  /// How many chunks are looked up at once; the least of them are a byte each.
  private static let batch = 4096

  private func load(_ slab: HDF5Box, _ range: Range<Int>, isFilled: Bool) throws {
    let places = slab.chunkPlaces(of: chunks.shape, range)
    let stored = try structure.storedChunks(of: dataset, at: places)
    if !isFilled, stored.contains(where: { $0 == nil }) { try fill() }
    for (place, chunk) in zip(places, stored) {
      guard let chunk else { continue }
      let source = try decode(chunk, at: place)
      let whole = HDF5Box(origin: place, extents: chunks.shape)
      bytes.withUnsafeMutableBytes { target in
        source.withUnsafeBytes {
          copy(from: $0, of: whole, to: target, of: slab, elementBytes: dataset.elementBytes)
        }
      }
    }
  }

  /// Takes the bytes of a chunk that is the slab, so that a large one is not in memory twice.
  private func loadWhole(_ slab: HDF5Box) throws -> Bool {
    guard slab.extents == chunks.shape, slab.chunkCount(of: chunks.shape) == 1,
      let chunk = try structure.storedChunks(of: dataset, at: [slab.origin])[0]
    else { return false }
    bytes = []
    bytes = try decode(chunk, at: slab.origin)
    decoded = nil
    return true
  }

  private func fill() throws {
    let element = try fillElement ?? structure.fillElement(of: dataset)
    fillElement = element
    bytes.withUnsafeMutableBytes { $0.fill(with: element) }
  }

  private func decode(_ chunk: HDF5StoredChunk, at place: [Int]) throws -> [UInt8] {
    if let decoded, decoded.place == place { return decoded.bytes }
    // Let go of the last chunk first: there may be room for one only.
    decoded = nil
    let isEdge = zip(place, zip(chunks.shape, dataset.info.shape)).contains { $0 + $1.0 > $1.1 }
    let filters = isEdge && !chunks.filtersEdges ? [] : chunks.filters
    let limit = HDF5Filter.byteLimit(chunks.byteCount)
    guard chunk.range.count <= limit else {
      throw FormatError(
        .storageSizeMismatch, offset: structure.input.base + chunk.range.lowerBound,
        expected: "a chunk of at most \(limit) bytes", found: "\(chunk.range.count)")
    }
    let bytes = try HDF5Filter.decode(
      try structure.input.bytes(chunk.range.lowerBound, chunk.range.count), filters,
      skipped: chunk.skippedFilters, size: chunks.byteCount)
    decoded = (place, bytes)
    return bytes
  }
}
