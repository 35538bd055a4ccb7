/// What a file holds beside the bytes of its tensors.
struct HDF5Catalogue: Sendable {
  var datasets: [HDF5Dataset] = []
  var metadata = CheckpointMetadata()
  var notes: [String] = []
}

/// A dataset that was found to be a tensor, and how its bytes are stored.
struct HDF5Dataset: Sendable {
  var info: TensorInfo
  /// Where its object header lies.
  var address: UInt64
  /// Bytes that swap together to become little-endian; 1 when nothing needs to.
  var swapUnit: Int
  var storage: Storage

  enum Storage: Sendable {
    /// One range of the file, counted from its signature.
    case contiguous(Range<Int>)
    /// Within the object header.
    case compact
    case chunked(HDF5Chunks)
    /// Nowhere: every element is the fill value.
    case absent
  }

  /// Bytes of an element.
  var elementBytes: Int { max(1, info.dtype.bitWidth / 8) }
}

/// How a dataset is cut into chunks and what was done to them.
struct HDF5Chunks: Sendable {
  /// Extents, as many as the dataset has.
  var shape: [Int]
  /// In the order in which a writer applies them.
  var filters: [HDF5Filter]
  /// Whether chunks that reach past the edge are filtered too.
  var filtersEdges: Bool
  /// Bytes of a chunk before filters; an edge's chunks are as large as all others.
  var byteCount: Int
}

/// What may be done to a chunk's bytes.
enum HDF5Filter: Sendable, Equatable {
  case deflate
  /// The bytes of all elements regrouped: first bytes first.
  case shuffle(elementBytes: Int)
  case fletcher32
  case zstd

  /// The number that the HDF Group gave to Zstandard.
  static let zstdIdentifier: Int32 = 32015
}

/// Where a chunk lies as it was stored, counted from the file's signature.
struct HDF5StoredChunk: Sendable {
  var range: Range<Int>
  /// A bit for every filter that was left out.
  var skippedFilters: UInt32
}
