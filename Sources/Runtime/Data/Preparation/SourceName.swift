import Formats

/// A file's name taken apart: which case it belongs to, and whether it says that it is of labels.
struct SourceName {
  /// What the files of one case have in common.
  let key: String
  let saysLabels: Bool
  let kind: Kind

  enum Kind { case volume, picture, array }

  private static let endings: [(text: String, kind: Kind)] = [
    (".nii.gz", .volume), (".nii", .volume), (".hdr.gz", .volume), (".hdr", .volume),
    (".png", .picture), (".npy.h5", .array), (".h5", .array), (".npz", .array), (".npy", .array),
  ]

  private static let imageWords = ["images", "image", "img", "volume"]
  private static let labelWords = [
    "segmentation", "labels", "label", "masks", "mask", "manual", "seg", "gt",
  ]

  /// Nil for a file that holds neither images nor labels.
  init?(_ file: String) {
    let lower = file.lowercased()
    guard let ending = Self.endings.first(where: { lower.hasSuffix($0.text) }) else { return nil }
    kind = ending.kind
    var stem = String(file.dropLast(ending.text.count))
    // Of several channels nnU-Net numbers, this is the first and here the only one.
    if kind == .volume, stem.hasSuffix("_0000") { stem.removeLast(5) }
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
