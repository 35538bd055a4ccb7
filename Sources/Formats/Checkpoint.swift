/// A read-only, ordered set of named tensors whose bytes are read one tensor at a time.
///
/// Opening a checkpoint reads what describes the tensors and checks it completely; the bytes of
/// the tensors themselves are read, and held against their checksums, when they are asked for.
public protocol Checkpoint: Sendable {
  /// The file as the user named it.
  var path: String { get }
  var container: ContainerKind { get }
  /// In the order of the file.
  var tensors: [TensorInfo] { get }
  var metadata: CheckpointMetadata { get }
  /// Facts about the file that a user should see though nothing is wrong with the tensors.
  var notes: [String] { get }
  /// The bytes on disk.
  var fileSize: Int { get }
  /// How the whole file is compressed around its container.
  var compression: Compression? { get }
  /// What was found around the tensors.
  var surroundings: CheckpointSurroundings { get }

  /// The sets of tensors, by place, that have bytes in common.
  var sharedTensors: [[Int]] { get }

  /// Where a tensor's bytes, packed and in C order, lie in the storage of a set of shared tensors;
  /// nil where they lie otherwise.
  func storagePlace(of index: Int) -> StoragePlace?

  /// Starts reading one tensor, given by its place in `tensors`.
  func reader(of index: Int) throws -> any TensorReader

  /// One tensor's bytes, packed, C order and little-endian, in memory without being read; nil where
  /// they do not lie so in a file.
  ///
  /// - Throws: `FormatError` with code `fileChanged` or `ioError`.
  func mapped(_ index: Int) throws -> MappedBytes?

  /// Whether a path, followed through links, leads to a file that the tensors are read from.
  func isStored(at path: String) -> Bool

  /// Checks that the file is still what was opened.
  ///
  /// - Throws: `FormatError` with code `fileChanged`.
  func checkUnchanged() throws
}

/// Hands out one tensor's bytes in order: packed, C order, little-endian.
public protocol TensorReader: AnyObject {
  /// Fills the front of the buffer and returns how many bytes that were; zero is the end.
  ///
  /// All of the buffer is filled unless the tensor ends. Checksums are compared when the last byte
  /// has been read.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int

  /// Whether the reader holds only what it has been asked for, so that many may be open at once.
  var isStreaming: Bool { get }

  /// Whether the bytes are made by calculation, which costs more than reading them back.
  var isCalculated: Bool { get }
}

extension TensorReader {
  public var isStreaming: Bool { false }
  public var isCalculated: Bool { false }
}

/// The file formats that hold checkpoints.
public enum ContainerKind: String, Sendable, CaseIterable {
  case torchZip = "torch zip"
  case torchLegacy = "torch legacy stream"
  case safeTensors = "safetensors"
  case shardedSafeTensors = "sharded safetensors"
  case npz = "npz"
  case npy = "npy"
  case numpyPickle = "numpy pickle"
  case hdf5 = "HDF5"
}

/// Where in its file the model lay and what lay around it.
public struct CheckpointSurroundings: Sendable, Equatable {
  /// The keys under which the model was found, such as `["model"]`; empty at the top.
  public var wrapper: [String]
  /// What the file keeps beside the model.
  public var siblings: [String]
  /// Classes and constructors whose values were left alone.
  public var inertObjects: [String]

  public init(wrapper: [String] = [], siblings: [String] = [], inertObjects: [String] = []) {
    self.wrapper = wrapper
    self.siblings = siblings
    self.inertObjects = inertObjects
  }
}

/// The text that a checkpoint carries beside its tensors.
public struct CheckpointMetadata: Sendable, Equatable {
  public struct Entry: Sendable, Equatable {
    public var key: String
    public var value: String
    public init(key: String, value: String) {
      self.key = key
      self.value = value
    }
  }

  /// In the order of the file.
  public var entries: [Entry]

  public init(_ entries: [Entry] = []) { self.entries = entries }

  public subscript(_ key: String) -> String? {
    get { entries.first { $0.key == key }?.value }
    set {
      entries.removeAll { $0.key == key }
      if let newValue { entries.append(Entry(key: key, value: newValue)) }
    }
  }
}

extension Checkpoint {
  public var compression: Compression? { nil }
  public var surroundings: CheckpointSurroundings { CheckpointSurroundings() }

  public var sharedTensors: [[Int]] { [] }

  public func storagePlace(of index: Int) -> StoragePlace? { nil }

  public func mapped(_ index: Int) throws -> MappedBytes? { nil }

  public func isStored(at path: String) -> Bool {
    guard let file = try? InputFile(self.path) else { return false }
    return file.isSameFile(as: path)
  }

  /// The place of the tensor of that name.
  public func index(of name: TensorName) -> Int? {
    tensors.firstIndex { $0.name == name }
  }

  /// All of one tensor's bytes; for tensors that are known to be small, and for tests.
  public func bytes(of index: Int) throws -> [UInt8] {
    let reader = try reader(of: index)
    let count = tensors[index].byteCount
    return try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      initialized = try reader.read(into: UnsafeMutableRawBufferPointer(buffer))
    }
  }

  /// The bytes of all tensors together.
  public var totalByteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }
}
