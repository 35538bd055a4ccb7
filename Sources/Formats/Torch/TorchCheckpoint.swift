import Support
import Synchronization

/// A checkpoint that `torch.save` wrote, opened for reading.
public final class TorchCheckpoint: Checkpoint {
  public let container = ContainerKind.torchZip
  public let tensors: [TensorInfo]
  public let metadata: CheckpointMetadata
  public let notes: [String]
  public let surroundings: CheckpointSurroundings
  /// The sets of tensors, by place, that share a storage.
  public let sharedTensors: [[Int]]

  let file: InputFile
  let archive: TorchArchive
  let views: [TorchView]
  /// The record of each tensor.
  let entries: [ZipEntry]
  /// Records whose checksum has been compared, by the place of their header.
  let verified = Mutex<Set<Int>>([])

  public var path: String { file.path }
  public var fileSize: Int { file.sizeOnDisk }
  public var compression: Compression? { file.source?.compression }

  /// Reads and checks everything but the tensors' bytes.
  ///
  /// - Throws: `FormatError` with a zip, pickle or torch code.
  init(_ file: InputFile, options: CheckpointOptions) throws {
    self.file = file
    let parts = try naming(file: file.path) { try Parts(file, options) }
    archive = parts.archive
    metadata = parts.metadata
    views = parts.tree.tensors
    entries = parts.entries
    tensors = views.map(\.info)
    surroundings = CheckpointSurroundings(
      wrapper: parts.choice.path, siblings: parts.choice.siblings,
      inertObjects: parts.inertObjects)
    sharedTensors = Self.shared(views)
    notes = parts.notes
  }

  public func checkUnchanged() throws { try file.checkUnchanged() }

  public func reader(of index: Int) throws -> any TensorReader {
    try naming(file: file.path) { try makeReader(index) }
  }

  private static func shared(_ views: [TorchView]) -> [[Int]] {
    var groups: [TensorName: [Int]] = [:]
    for (index, view) in views.enumerated() where view.span > 0 {
      groups[TensorName(view.storage.key), default: []].append(index)
    }
    return groups.values.filter { $0.count > 1 }.sorted { $0[0] < $1[0] }
  }

  /// What opening finds, before it is stored.
  private struct Parts {
    var archive: TorchArchive
    var metadata: CheckpointMetadata
    var choice: TorchRoot.Choice
    var tree: TorchTree.Result
    var entries: [ZipEntry]
    var inertObjects: [String]
    var notes: [String] = []

    init(_ file: InputFile, _ options: CheckpointOptions) throws {
      archive = try TorchArchive(ZipArchive(file, checksCRC: options.checksCRC))
      metadata = try archive.metadata()
      let document = try PickleMachine.parse(
        archive.pickle(), options: .init(skipsUnknownCalls: options.skipsUnknownObjects))
      for storage in document.storages { _ = try archive.entry(of: storage) }
      let full = TorchTree(document)
      choice = try TorchRoot(tree: full).choose(key: options.key)
      tree = try full.tensors(below: choice.id)
      let archive = archive
      entries = try tree.tensors.map { try archive.entry(of: $0.storage) }
      inertObjects = document.inertNames
      try checkExpansion(file, allowed: options.allowsExpansion)
      notes = tree.notes + archiveNotes(document)
    }

    private func checkExpansion(_ file: InputFile, allowed: Bool) throws {
      var total = 0
      for tensor in tree.tensors {
        let (sum, overflow) = total.addingReportingOverflow(tensor.info.byteCount)
        total = overflow ? .max : sum
      }
      let limit = Budgets.expansionLimit(of: file.sizeOnDisk, isLifted: allowed)
      guard total <= limit else {
        throw FormatError(
          .expansionLimit, expected: "at most \(limit) bytes of tensors", found: "\(total)")
      }
    }

    private func archiveNotes(_ document: PickleDocument) -> [String] {
      var notes: [String] = []
      if archive.isBigEndian {
        notes.append("the file says it was written on a big-endian machine; its bytes are swapped")
      }
      let hidden = archive.unreferencedRecords(document.storages)
      if hidden > 0 {
        notes.append("\(hidden) storage record(s) belong to no value and were left out")
      }
      return notes
    }
  }
}
