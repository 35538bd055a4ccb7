/// The part of a torch container that holds the storages' bytes.
protocol TorchStorages: Sendable {
  /// Whether numbers are stored with their most significant byte first.
  var isBigEndian: Bool { get }

  /// Checks that a storage is there and has the size it is said to have.
  ///
  /// - Throws: `FormatError` with code `badStorageKey`, `missingRecord` or `storageSizeMismatch`.
  func check(_ storage: PickleDocument.Storage) throws

  /// How many bytes come out of those storages that are compressed one by one.
  ///
  /// - Throws: `FormatError` like `check`.
  func inflatedByteCount(_ storages: [PickleDocument.Storage]) throws -> Int

  /// Starts reading a view's elements, packed in C order, as they are stored.
  ///
  /// The view is not empty.
  func reader(of view: TorchView) throws -> any TensorReader

  /// The text that the container keeps beside the pickle.
  ///
  /// - Throws: `FormatError` when it is there and malformed.
  func metadata() throws -> CheckpointMetadata

  /// What a user should know of the container, given the storages that the pickle names.
  func notes(_ storages: [PickleDocument.Storage]) -> [String]
}

extension TorchStorages {
  func inflatedByteCount(_ storages: [PickleDocument.Storage]) throws -> Int { 0 }

  func metadata() throws -> CheckpointMetadata { CheckpointMetadata() }
}
