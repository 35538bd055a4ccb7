@testable import Formats

/// What is fuzzed, one parser each; the names are those of `make fuzz`.
enum FuzzTarget: String, CaseIterable {
  /// A zip directory and its records, checksums left out so that changes get past them.
  case zip
  /// The pickle machine alone.
  case pickle
  /// A pickle and the tensors that it describes.
  case torchObjects
  case torchFile
  case safetensorsHeader
  case safetensorsFile
  /// The stream that torch wrote before version 1.6.
  case torchStream
  case numpyPickle
  /// The text in front of a numpy array.
  case npyHeader
  case npyFile
  case npzFile
  case shardIndex
  /// What lies inside a zstd or gzip file.
  case compressed
  /// A volume with its header, plain or compressed.
  case nifti
  case png

  /// Feeds one input; only a typed error may come out.
  func run(_ input: [UInt8]) {
    do {
      switch self {
      case .zip: try runZip(input)
      case .pickle: _ = try PickleMachine.parse(input)
      case .torchObjects: try runTorchObjects(input)
      case .torchFile, .safetensorsFile, .npyFile, .npzFile, .compressed: try runFile(input)
      case .torchStream: try runStream(input)
      case .numpyPickle: _ = try readAll(NumpyPickle(file(input), options: Self.options))
      case .npyHeader: _ = try NpyHeader(input, size: input.count + 64, name: "a")
      case .shardIndex: _ = try ShardIndex(input)
      case .nifti:
        _ = try NIfTIFile("input", fileSystem: MemoryFileSystem(input)).volume().labels(
          as: UInt16.self)
      case .png: _ = try PNGFile.image(input)
      case .safetensorsHeader: _ = try SafeTensorsHeader(input, dataBytes: 4096)
      }
    } catch is FormatError {
    } catch {
      fatalError("an error without a type: \(error)")
    }
  }

  private func runZip(_ input: [UInt8]) throws {
    let archive = try ZipArchive(file(input), checksCRC: false)
    for entry in archive.entries where !entry.isDirectory {
      _ = try archive.contents(of: entry, limit: 1 << 20)
    }
  }

  private func runTorchObjects(_ input: [UInt8]) throws {
    for skips in [false, true] {
      let document = try PickleMachine.parse(input, options: .init(skipsUnknownCalls: skips))
      let tree = PickleTree(TorchRebuild(document: document))
      _ = try tree.tensors(below: TorchRoot(tree: tree).choose(key: nil).id)
    }
  }

  private func runStream(_ input: [UInt8]) throws {
    try readAll(TorchCheckpoint(stream: file(input), options: Self.options))
  }

  private func runFile(_ input: [UInt8]) throws {
    try readAll(
      openCheckpoint("input", options: Self.options, fileSystem: MemoryFileSystem(input)))
  }

  private static let options = CheckpointOptions(checksCRC: false)

  /// Reads every tensor, if they are not too many.
  private func readAll(_ checkpoint: any Checkpoint) throws {
    guard checkpoint.totalByteCount < 1 << 22 else { return }
    for index in checkpoint.tensors.indices { _ = try checkpoint.bytes(of: index) }
  }

  private func file(_ input: [UInt8]) throws -> InputFile {
    try InputFile("input", fileSystem: MemoryFileSystem(input))
  }
}
