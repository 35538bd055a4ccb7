import Support

/// A checkpoint that `torch.save` wrote, opened for reading.
public final class TorchCheckpoint: Checkpoint {
  public let container: ContainerKind
  public let tensors: [TensorInfo]
  public let metadata: CheckpointMetadata
  public let notes: [String]
  public let surroundings: CheckpointSurroundings
  public let sharedTensors: [[Int]]

  private let file: InputFile
  private let storages: any TorchStorages
  private let views: [TorchView]

  public var path: String { file.path }
  public var fileSize: Int { file.sizeOnDisk }
  public var compression: Compression? { file.source?.compression }

  /// Opens a zip archive; reads and checks everything but the tensors' bytes.
  ///
  /// - Throws: `FormatError` with a zip, pickle or torch code.
  convenience init(archive zip: ZipArchive, options: CheckpointOptions) throws {
    let archive = try TorchArchive(zip, scratchDirectory: options.scratchDirectory)
    let document = try PickleMachine.parse(
      archive.pickle(), options: .init(skipsUnknownCalls: options.skipsUnknownObjects))
    try self.init(zip.file, .torchZip, archive, document, options)
  }

  /// Opens a stream from before torch 1.6; reads and checks everything but the tensors' bytes.
  ///
  /// - Throws: `FormatError` with a pickle or torch code.
  convenience init(stream file: InputFile, options: CheckpointOptions) throws {
    let stream = try TorchStream(file, skipsUnknownCalls: options.skipsUnknownObjects)
    try self.init(file, .torchLegacy, stream, stream.document, options)
  }

  private init(
    _ file: InputFile, _ container: ContainerKind, _ storages: any TorchStorages,
    _ document: PickleDocument, _ options: CheckpointOptions
  ) throws {
    for storage in document.storages { try storages.check(storage) }
    try checkExpansion(
      to: storages.inflatedByteCount(document.storages), from: file.sizeOnDisk,
      isAllowed: options.allowsExpansion)
    let tree = PickleTree(TorchRebuild(document: document))
    let part = try TorchRoot(tree: tree).choose(key: options.key)
    let found = try tree.tensors(below: part.id)
    self.file = file
    self.container = container
    self.storages = storages
    metadata = try storages.metadata()
    views = found.tensors
    tensors = views.map(\.info)
    surroundings = CheckpointSurroundings(
      wrapper: part.path, siblings: part.siblings, inertObjects: document.inertNames)
    sharedTensors = Self.shared(views)
    notes = found.notes + storages.notes(document.storages)
    try checkExpansion(of: tensors, from: file.sizeOnDisk, isAllowed: options.allowsExpansion)
  }

  public func checkUnchanged() throws { try file.checkUnchanged() }

  public func reader(of index: Int) throws -> any TensorReader {
    let view = views[index]
    guard !view.byteRange.isEmpty else { return BytesReader([]) }
    let reader = try naming(file: file.path) { try storages.reader(of: view) }
    return reader.applying(view.transform(swapsBytes: storages.isBigEndian))
  }

  public func storagePlace(of index: Int) -> StoragePlace? {
    let view = views[index]
    // Bits that are negated on the way are not those of another view.
    guard view.layout.isContiguous, !view.isConjugated, !view.isNegated else { return nil }
    return StoragePlace(storage: view.storage.key, offset: view.byteRange.lowerBound)
  }

  private static func shared(_ views: [TorchView]) -> [[Int]] {
    var groups: [TensorName: [Int]] = [:]
    for (index, view) in views.enumerated() where !view.byteRange.isEmpty {
      groups[TensorName(view.storage.key), default: []].append(index)
    }
    return groups.values.filter { $0.count > 1 }.sorted { $0[0] < $1[0] }
  }
}
