/// How an output is to be made.
public struct OutputFormat: Sendable, Equatable {
  /// The containers that can be written.
  public enum Container: String, Sendable, CaseIterable {
    case safeTensors = "safetensors"
    case torch
    case hdf5
  }

  public var container: Container
  /// The most bytes of tensors that one file may hold; more go to several files and an index.
  public var shardBytes: Int?
  /// Compress the whole file as one zstd frame.
  public var isCompressed: Bool
  /// How the chunks of an HDF5 file are compressed; without compression there are none.
  public var chunkCompression: HDF5Compression
  /// Whether each index of a tensor's first dimension is a chunk of its own, for readers that take
  /// a few of many.
  public var chunksFirstAxis: Bool

  public init(
    _ container: Container = .safeTensors, shardBytes: Int? = nil, isCompressed: Bool = false,
    chunkCompression: HDF5Compression = .none, chunksFirstAxis: Bool = false
  ) {
    self.container = container
    self.shardBytes = shardBytes
    self.isCompressed = isCompressed
    self.chunkCompression = chunkCompression
    self.chunksFirstAxis = chunksFirstAxis
  }
}
