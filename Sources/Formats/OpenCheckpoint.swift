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
  case .hdf5: throw FormatError.foreign("an HDF5 file")
  case .compressed(let compression):
    guard file.source == nil else {
      throw FormatError(
        .unsupportedContainer, found: "a file compressed twice", remedy: "unpack it first")
    }
    return try openCheckpoint(file.unpacked(compression, options: options), options: options)
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
