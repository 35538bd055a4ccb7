import Formats
import Support

/// A file that Meta published, known by its size and SHA-256.
public struct OfficialFile: Sendable, Equatable {
  public var name: String
  public var byteCount: Int
  public var digest: String

  public static let all = [
    OfficialFile(
      name: "sam_vit_b_01ec64.pth", byteCount: 375_042_383,
      digest: "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912"),
    OfficialFile(
      name: "sam_vit_l_0b3195.pth", byteCount: 1_249_524_607,
      digest: "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622"),
    OfficialFile(
      name: "sam_vit_h_4b8939.pth", byteCount: 2_564_550_879,
      digest: "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e"),
  ]

  /// The official file that this one is, byte by byte; reads it only when its size is right.
  ///
  /// - Throws: `FormatError` when the file cannot be read.
  public static func identify(_ path: String) throws -> OfficialFile? {
    let file = try InputFile(path)
    guard let candidate = all.first(where: { $0.byteCount == file.size }) else { return nil }
    return try file.contentHash() == candidate.digest ? candidate : nil
  }
}
