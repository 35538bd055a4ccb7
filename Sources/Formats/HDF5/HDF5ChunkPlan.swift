/// How an HDF5 file's tensors are compressed.
public enum HDF5Compression: Sendable, Equatable {
  case none
  /// Deflate, level 1 to 9, which every HDF5 library reads.
  case gzip(level: Int)
  /// Zstandard, level 1 to 22, which Python reads with hdf5plugin.
  case zstd(level: Int)
}

/// How a tensor that is written compressed is cut into chunks.
///
/// Each is a run of the tensor's bytes: one index in the outer dimensions, a range of one, and all
/// of the dimensions within.
struct HDF5ChunkPlan: Sendable, Equatable {
  /// Below this a chunk index takes about as much as compression could save.
  static let smallest = 4096
  static let chunkBytes = 1 << 20

  let shape: [Int]
  let compression: HDF5Compression
  /// Whether the bytes of elements are regrouped first; those of one byte have nothing to regroup.
  let shuffles: Bool
  let elementBytes: Int
  let chunkCount: Int
  /// The dimension that is cut, and the tensor's extents.
  private let axis: Int
  private let extents: [Int]

  /// Plans a tensor's chunks; nil for one that is better stored as it is.
  ///
  /// - Parameter cutsFirstAxis: whether each index of the first dimension is a chunk.
  init?(_ tensor: TensorInfo, _ compression: HDF5Compression, cutsFirstAxis: Bool = false) {
    guard compression != .none, tensor.byteCount >= Self.smallest, !tensor.shape.isEmpty,
      let elementBytes = tensor.dtype.byteWidth
    else { return nil }
    var inner = tensor.byteCount
    var axis = -1
    repeat {
      axis += 1
      inner /= tensor.shape[axis]
    } while inner > Self.chunkBytes && axis < tensor.shape.count - 1 && !cutsFirstAxis
    let extent = tensor.shape[axis]
    let fitting = cutsFirstAxis ? 1 : max(1, Self.chunkBytes / inner)
    let pieces = (extent - 1) / fitting + 1
    // As many pieces as needed, of the same size, so that the last one is hardly padded.
    let rows = (extent - 1) / pieces + 1
    shape = tensor.shape.enumerated().map { $0 < axis ? 1 : $0 > axis ? $1 : rows }
    chunkCount = tensor.shape[..<axis].reduce((extent - 1) / rows + 1, *)
    self.axis = axis
    extents = tensor.shape
    self.compression = compression
    self.elementBytes = elementBytes
    shuffles = elementBytes > 1
  }

  /// Bytes of every chunk, padding included.
  var byteCount: Int { shape.reduce(elementBytes, *) }

  /// A chunk's first element, and how many of its bytes are the tensor's.
  func chunk(_ index: Int) -> (place: [Int], byteCount: Int) {
    let pieces = (extents[axis] - 1) / shape[axis] + 1
    var (rest, piece) = index.quotientAndRemainder(dividingBy: pieces)
    var place = [Int](repeating: 0, count: extents.count)
    piece *= shape[axis]
    place[axis] = piece
    for dimension in (0..<axis).reversed() {
      (rest, place[dimension]) = rest.quotientAndRemainder(dividingBy: extents[dimension])
    }
    let rows = min(shape[axis], extents[axis] - piece)
    return (place, byteCount / shape[axis] * rows)
  }
}
