import Support

/// A pickle of numpy arrays opened for reading, such as MA-SAM's training slices.
///
/// One array alone is named `array`; in dictionaries, lists and tuples arrays are named by the keys
/// and places that lead to them, joined with dots.
final class NumpyPickle: Checkpoint {
  let container = ContainerKind.numpyPickle
  let tensors: [TensorInfo]
  let metadata = CheckpointMetadata()
  let notes: [String]
  let surroundings: CheckpointSurroundings
  private let file: InputFile
  private let arrays: [NumpyRebuild.Tensor]

  var path: String { file.path }
  var fileSize: Int { file.sizeOnDisk }
  var compression: Compression? { file.source?.compression }

  /// Reads the pickle and checks every array against its bytes.
  ///
  /// - Throws: `FormatError` with a pickle or numpy code.
  init(_ file: InputFile, options: CheckpointOptions) throws {
    let document = try PickleMachine.parse(
      PickleInput(file),
      options: .init(skipsUnknownCalls: options.skipsUnknownObjects, persistentIDs: .none))
    let tree = PickleTree(NumpyRebuild(document: document))
    let whole = PicklePart(id: document.root)
    let part = try tree.checked(
      options.key.map(tree.part) ?? whole, expected: "numpy arrays")
    let found = try tree.tensors(below: part.id)
    self.file = file
    arrays = found.tensors
    notes = found.notes
    tensors = arrays.map(\.info)
    surroundings = CheckpointSurroundings(
      wrapper: part.path, siblings: part.siblings,
      inertObjects: document.inertNames.filter { !NumpyRebuild.isUnderstood($0) })
    try checkExpansion(of: tensors, from: file.sizeOnDisk, isAllowed: options.allowsExpansion)
    try Self.checkSizes(arrays, file)
  }

  func checkUnchanged() throws { try file.checkUnchanged() }

  func reader(of index: Int) throws -> any TensorReader {
    let tensor = arrays[index]
    return try naming(file: path) {
      try tensor.array.reader(over: tensor.content.reader(in: file))
    }
  }

  /// Arrays may share their bytes, which are counted once.
  private static func checkSizes(_ arrays: [NumpyRebuild.Tensor], _ file: InputFile) throws {
    var counts: [NumpyContent: Int] = [:]
    for tensor in arrays {
      let count = try counts[tensor.content] ?? tensor.content.byteCount(in: file)
      counts[tensor.content] = count
      guard count == tensor.info.byteCount else {
        throw FormatError(
          .sizeMismatch, subject: tensor.info.name, expected: "\(tensor.info.byteCount) bytes",
          found: "\(count)")
      }
    }
  }
}
