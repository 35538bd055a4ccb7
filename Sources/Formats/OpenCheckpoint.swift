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
  case .zip: return try TorchCheckpoint(file, options: options)
  case .safeTensors:
    try refuseKey(options, in: .safeTensors)
    return try SafeTensorsFile(file)
  case .torchLegacy: throw FormatError.foreign("a torch file from before version 1.6")
  case .barePickle: throw FormatError.foreign("a bare pickle, not a torch archive")
  case .shardIndex: throw FormatError.foreign("the index of a sharded checkpoint")
  case .npy: throw FormatError.foreign("a numpy .npy file")
  case .hdf5:
    try refuseKey(options, in: .hdf5)
    return try HDF5Checkpoint(file, options: options)
  case .compressed(let compression):
    throw FormatError.foreign("a \(compression.rawValue)-compressed file: unpack it first")
  case .unsupported(let name, let remedy):
    throw FormatError(.unsupportedContainer, found: name, remedy: remedy)
  case .unknown: throw FormatError(.unknownFormat, found: "\(file.size) bytes of unknown kind")
  }
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
