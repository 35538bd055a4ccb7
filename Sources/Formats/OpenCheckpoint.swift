import Support

/// Opens a checkpoint of any supported container, chosen by its content.
///
/// - Throws: `FormatError` with a code of the container, or `unknownFormat` or
///   `unsupportedContainer`.
public func openCheckpoint(
  _ path: String, options: CheckpointOptions = CheckpointOptions(),
  fileSystem: any FileSystem = POSIXFileSystem()
) throws -> any Checkpoint {
  let file = try InputFile(path, fileSystem: fileSystem)
  return try naming(file: path) { try openCheckpoint(file, options: options) }
}

func openCheckpoint(_ file: InputFile, options: CheckpointOptions) throws -> any Checkpoint {
  switch try FileKind.detect(file) {
  case .zip:
    let zip = try ZipArchive(file, checksCRC: options.checksCRC)
    guard NpzFile.isLikely(zip) else {
      return try TorchCheckpoint(archive: zip, options: options)
    }
    try refuseKey(options, in: .npz)
    return try NpzFile(zip, options: options)
  case .safeTensors:
    try refuseKey(options, in: .safeTensors)
    return try SafeTensorsFile(file)
  case .torchLegacy: return try TorchCheckpoint(stream: file, options: options)
  case .barePickle: return try NumpyPickle(file, options: options)
  case .json:
    try refuseKey(options, in: .shardedSafeTensors)
    return try ShardedSafeTensors(file)
  case .npy:
    try refuseKey(options, in: .npy)
    return try NpyFile(file)
  case .hdf5:
    try refuseKey(options, in: .hdf5)
    return try HDF5Checkpoint(file, options: options)
  case .compressed(let compression):
    guard file.source == nil else {
      throw FormatError(
        .unsupportedContainer, found: "a file compressed twice", remedy: "unpack it first")
    }
    return try openCheckpoint(file.unpacked(compression, options: options), options: options)
  case .unsupported(let name, let remedy):
    throw FormatError(.unsupportedContainer, found: name, remedy: remedy)
  case .unknown: throw unknownFormat(file)
  }
}

/// Names the text protocol of pickle, which has no mark of its own but ends with a STOP.
private func unknownFormat(_ file: InputFile) -> FormatError {
  let unknown = FormatError(.unknownFormat, found: "\(file.size) bytes of unknown kind")
  guard file.size <= Budgets.pickleBytes,
    (try? file.bytes(file.size - 1..<file.size)) == [PickleOpcode.stop.rawValue]
  else { return unknown }
  do {
    _ = try PickleMachine.parse(PickleInput(file))
  } catch let error as FormatError where error.code == .unsupportedProtocol0 {
    return error
  } catch {}
  return unknown
}

/// `--key` chooses a part of a file; a flat container has none.
func refuseKey(_ options: CheckpointOptions, in container: ContainerKind) throws {
  guard let key = options.key else { return }
  throw FormatError(
    .keyNotFound, subject: key, found: "a file of kind \(container.rawValue), which has no parts")
}

extension FormatError {
  fileprivate static func foreign(_ name: String) -> FormatError {
    FormatError(.unsupportedContainer, found: name)
  }
}
