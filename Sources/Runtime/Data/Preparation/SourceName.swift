import Formats

/// A file's name taken apart: which case it belongs to, and whether it says that it is of labels.
public struct SourceName: Sendable {
  /// What the files of one case have in common.
  public let key: String
  public let saysLabels: Bool
  public let kind: Kind

  public enum Kind: Sendable { case volume, picture, array, stack }

  private static let endings: [(text: String, kind: Kind)] = [
    (".nii.gz", .volume), (".nii", .volume), (".hdr.gz", .volume), (".hdr", .volume),
    (".png", .picture), (".npy.h5", .array), (".h5", .array), (".npz", .array), (".npy", .array),
    (".pkl", .stack),
  ]

  private static let imageWords = ["images", "image", "img", "volume", "2dimage"]
  private static let labelWords = [
    "segmentation", "labels", "label", "masks", "mask", "manual", "seg", "gt", "2dmask",
  ]

  /// Nil for a file that holds neither images nor labels.
  ///
  /// - Parameter hasChannel: whether nnU-Net's number of the first channel ends the name.
  public init?(_ file: String, hasChannel: Bool = false) {
    let lower = file.lowercased()
    guard let ending = Self.endings.first(where: { lower.hasSuffix($0.text) }) else { return nil }
    kind = ending.kind
    var stem = String(file.dropLast(ending.text.count))
    if hasChannel { stem = ChannelSuffix.removed(from: stem) ?? stem }
    let labels = Self.stripped(stem, Self.labelWords)
    saysLabels = labels != nil
    key = labels ?? Self.stripped(stem, Self.imageWords) ?? stem
  }

  /// The name without one of the words at either end, nil when it has none.
  private static func stripped(_ stem: String, _ words: [String]) -> String? {
    let lower = stem.lowercased()
    for word in words {
      for separator in ["_", "-", "."] where lower.hasSuffix(separator + word) {
        return String(stem.dropLast(word.count + 1))
      }
      guard lower.hasPrefix(word), lower.count > word.count else { continue }
      let rest = stem.dropFirst(word.count)
      if rest.first?.isNumber == true { return String(rest) }
      if "_-.".contains(rest.first ?? " "), rest.count > 1 { return String(rest.dropFirst()) }
    }
    return nil
  }
}
