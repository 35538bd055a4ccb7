/// Reads a chunked dataset in C order, a slab of a few chunks at a time.
///
/// A slab is one index in each outer dimension, a range of one axis, and all of the dimensions
/// within. It spans whole chunks along its axis as long as that takes no more than
/// `HDF5Slabs.layerBytes`.
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
    slabs = HDF5Slabs(dataset, chunks)
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
    let places = slab.chunkPlaces(of: chunks.shape)
    let stored = try structure.storedChunks(of: dataset, at: places)
    let count = slab.elementCount * dataset.elementBytes
    if bytes.count != count { bytes = [UInt8](repeating: 0, count: count) }
    position = 0
    if stored.contains(where: { $0 == nil }) { try fill() }
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

/// How a chunked dataset is cut into slabs that are read one after another.
struct HDF5Slabs {
  /// What a slab takes, if chunks are small.
  static let slabBytes = 16 << 20
  /// What a slab may take rather than decode chunks several times.
  static let layerBytes = 128 << 20

  private let shape: [Int]
  private let axis: Int
  /// Extent of a slab along the axis.
  private let rows: Int
  private let slabsPerRow: Int
  let count: Int

  init(_ dataset: HDF5Dataset, _ chunks: HDF5Chunks) {
    let shape = dataset.info.shape
    // Bytes of one index of each dimension.
    var inner = [Int](repeating: dataset.elementBytes, count: shape.count)
    for place in shape.indices.dropLast().reversed() {
      inner[place] = inner[place + 1] * shape[place + 1]
    }
    let affordable = shape.indices.first { place in
      inner[place] <= Self.layerBytes / min(chunks.shape[place], shape[place])
    }
    let axis = affordable ?? shape.count - 1
    let fitting = Self.slabBytes / inner[axis]
    let chunk = chunks.shape[axis]
    rows = affordable == nil ? max(1, fitting) : max(chunk, fitting / chunk * chunk)
    slabsPerRow = (shape[axis] - 1) / rows + 1
    count = shape[..<axis].reduce(slabsPerRow, *)
    self.shape = shape
    self.axis = axis
  }

  subscript(_ index: Int) -> HDF5Box {
    var (rest, step) = index.quotientAndRemainder(dividingBy: slabsPerRow)
    var box = HDF5Box(origin: [Int](repeating: 0, count: shape.count), extents: shape)
    step *= rows
    box.origin[axis] = step
    box.extents[axis] = min(rows, shape[axis] - step)
    for place in (0..<axis).reversed() {
      (rest, box.origin[place]) = rest.quotientAndRemainder(dividingBy: shape[place])
      box.extents[place] = 1
    }
    return box
  }
}
