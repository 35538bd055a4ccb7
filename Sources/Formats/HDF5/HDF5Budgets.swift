/// The limits that concern HDF5 alone.
extension Budgets {
  /// How deep groups may be nested.
  public static let hdf5Depth = 64
  /// The dimensions that the format itself allows.
  public static let hdf5Rank = 32
  /// Groups, datasets and links together.
  public static let hdf5Objects = 1_000_000
  /// Names grow with every group they pass through; all of them together stay below this.
  public static let hdf5NameBytes = 256 << 20
  public static let hdf5ChunkBytes = 1 << 30
  /// Chunks of one dataset, written or not.
  public static let hdf5Chunks = 1_000_000
  /// Chunks of all datasets that even a small file may have.
  public static let hdf5FreeChunks = 250_000
  /// Bytes of a file that allow one chunk more: with its place in the index hardly one takes less.
  public static let hdf5BytesPerChunk = 32
  public static let hdf5Filters = 8
  public static let hdf5Attributes = 10_000
  /// Objects of all heaps in which attributes lie, other attributes' or not.
  public static let hdf5HeapObjects = 1_000_000
  public static let hdf5AttributeBytes = 16 << 20
}
