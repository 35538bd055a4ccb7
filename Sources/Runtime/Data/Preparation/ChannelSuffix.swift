import Formats

/// The number that nnU-Net puts behind the names of a case's images, one for each channel.
///
/// `BRATS_001_0000` is the first channel of case `BRATS_001`, but `case_0000` may as well be the case
/// of number 0. Only the names beside it can tell.
enum ChannelSuffix {
  static let text = "_0000"

  /// A name without it, nil when it has none or is nothing else.
  static func removed(from stem: String) -> String? {
    stem.hasSuffix(text) && stem.utf8.count > text.utf8.count
      ? String(stem.dropLast(text.count)) : nil
  }

  /// Whether the images of a folder have it.
  ///
  /// All of them must. Labels decide if there are any: they go without it. Else what is left of every
  /// name must still end in the number of a case.
  ///
  /// - Parameters:
  ///   - images: names of files.
  ///   - labels: the keys of the labels' names.
  static func ends(_ images: [String], labels: Set<TensorName>) -> Bool {
    let stems = images.map { SourceLayout.stem($0) }
    let rests = stems.compactMap(removed)
    guard !stems.isEmpty, rests.count == stems.count else { return false }
    guard !labels.isEmpty else { return rests.allSatisfy { trailingNumber($0) != nil } }
    func labelled(hasChannel: Bool) -> Bool {
      images.contains { file in
        SourceName(file, hasChannel: hasChannel).map { labels.contains(TensorName($0.key)) }
          ?? false
      }
    }
    return labelled(hasChannel: true) && !labelled(hasChannel: false)
  }
}
