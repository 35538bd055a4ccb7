import Foundation

@testable import Formats

/// The inputs that fuzzing starts from: the recorded checkpoints, or the parts of them that a
/// target takes.
struct Seeds {
  var fixtures: String

  /// Larger ones slow the fuzzer down more than they teach it.
  private static let sizeLimit = 64 << 10

  /// Writes the seeds of a target into a folder, which must exist.
  func write(for target: FuzzTarget, to folder: String) throws {
    for path in try paths() {
      guard let bytes = FileManager.default.contents(atPath: path).map(Array.init),
        let seed = part(of: path, bytes, for: target), seed.count <= Self.sizeLimit
      else { continue }
      let name = path.dropFirst(fixtures.count).replacing("/", with: "_")
      try Data(seed).write(to: URL(fileURLWithPath: "\(folder)/seed\(name)"))
    }
  }

  private func paths() throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: fixtures).sorted().map {
      fixtures + "/" + $0
    }
  }

  private func part(of path: String, _ bytes: [UInt8], for target: FuzzTarget) -> [UInt8]? {
    let isZip = bytes.starts(with: [0x50, 0x4B, 3, 4])
    switch target {
    case .zip: return isZip ? bytes : nil
    case .torchFile: return isZip && !isIn("npz", path) ? bytes : nil
    case .pickle, .torchObjects: return isZip ? pickle(path) : nil
    case .safetensorsFile: return path.hasSuffix(".safetensors") ? bytes : nil
    case .safetensorsHeader:
      return path.hasSuffix(".safetensors") ? Array(bytes.dropFirst(8)) : nil
    case .torchStream: return isIn("legacy", path) ? bytes : nil
    case .numpyPickle: return isIn("numpy", path) ? bytes : nil
    case .npyHeader, .npyFile: return isIn("npy", path) ? bytes : nil
    case .npzFile: return isIn("npz", path) ? bytes : nil
    case .shardIndex: return path.hasSuffix(".index.json") ? bytes : nil
    case .compressed: return isIn("compressed", path) ? bytes : nil
    case .png: return isIn("images", path) ? bytes : nil
    case .nifti: return isIn("volumes", path) && path.contains(".nii") ? bytes : nil
    }
  }

  /// Whether a recorded file lies in a folder of the fixtures.
  private func isIn(_ folder: String, _ path: String) -> Bool {
    path.hasPrefix("\(fixtures)/\(folder)/")
  }

  private func pickle(_ path: String) -> [UInt8]? {
    try? TorchArchive(ZipArchive(InputFile(path))).pickle()
  }
}
