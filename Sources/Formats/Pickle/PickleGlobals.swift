import Support

/// A Python name that a file mentions.
public struct PickleGlobalMention: Sendable, Equatable {
  public enum Verdict: String, Sendable {
    case understood, harmless, unknown, refused
  }

  public var name: String
  public var verdict: Verdict
  public var isCalled: Bool
  /// Bytes from the start of the pickle.
  public var offset: Int
}

/// Lists every Python name in a torch file without refusing any; nothing is looked up or run.
///
/// - Throws: `FormatError` when the file cannot be read to its end.
public func pickleGlobals(
  of path: String, options: CheckpointOptions = CheckpointOptions()
) throws -> [PickleGlobalMention] {
  var file = try InputFile(path)
  return try naming(file: path) {
    if case .compressed(let compression) = try FileKind.detect(file) {
      file = try file.unpacked(compression, options: options)
    }
    let bytes: [UInt8]
    switch try FileKind.detect(file) {
    case .zip: bytes = try TorchArchive(ZipArchive(file, checksCRC: false)).pickle()
    case .safeTensors, .shardIndex, .npy, .hdf5: return []
    default:
      guard file.size <= Budgets.pickleBytes else {
        throw FormatError(.unknownFormat, found: "\(file.size) bytes of unknown kind")
      }
      bytes = try file.bytes(0..<file.size)
    }
    let document = try PickleMachine.parse(bytes, options: .init(listsGlobalsOnly: true))
    return document.globals.map(mention)
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
