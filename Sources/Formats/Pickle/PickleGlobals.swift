import Support

/// A Python name that a file mentions.
public struct PickleGlobalMention: Sendable, Equatable {
  public enum Verdict: String, Sendable {
    case understood, harmless, unknown, refused
  }

  public var name: String
  public var verdict: Verdict
  public var isCalled: Bool
  /// Bytes from the start of the pickle, or of the file where that holds several.
  public var offset: Int
}

/// Lists every Python name in a file without refusing any; nothing is looked up or run.
///
/// - Throws: `FormatError` when the file cannot be read to its end.
public func pickleGlobals(
  of path: String, options: CheckpointOptions = CheckpointOptions()
) throws -> [PickleGlobalMention] {
  let file = try InputFile(path)
  return try naming(file: path) {
    guard case .compressed(let compression) = try FileKind.detect(file) else {
      return try globals(of: file).map(mention)
    }
    return try globals(of: file.unpacked(compression, options: options)).map(mention)
  }
}

private func globals(of file: InputFile) throws -> [PickleDocument.Global] {
  let listing = PickleMachine.Options(listsGlobalsOnly: true)
  switch try FileKind.detect(file) {
  case .zip:
    let zip = try ZipArchive(file, checksCRC: false)
    guard !NpzFile.isLikely(zip) else { return [] }
    return try PickleMachine.parse(TorchArchive(zip).pickle(), options: listing).globals
  case .torchLegacy: return try TorchStream.globals(of: file)
  case .safeTensors, .json, .npy, .hdf5: return []
  default: return try PickleMachine.parse(PickleInput(file), options: listing).globals
  }
}

private func mention(_ global: PickleDocument.Global) -> PickleGlobalMention {
  let verdict: PickleGlobalMention.Verdict =
    switch PickleGlobalPolicy.verdict(module: global.module, name: global.name) {
    case .understood, .mapping: .understood
    case .harmless: .harmless
    case .unknown: .unknown
    case .refused: .refused
    }
  return PickleGlobalMention(
    name: global.qualified, verdict: verdict, isCalled: global.isCalled, offset: global.offset)
}
