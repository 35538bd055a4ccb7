import Formats

extension SourceLayout {
  static func named(_ files: [String]) -> [NamedFile] {
    files.compactMap { file in SourceName(file).map { (file, $0) } }
  }

  /// The images under the names of their cases, and whether those go without nnU-Net's channel.
  static func channels(
    _ images: [NamedFile], labels: [NamedFile]
  ) -> (images: [NamedFile], hasChannel: Bool) {
    let keys = Set(labels.map { TensorName($0.name.key) })
    let files = images.filter { $0.name.kind == .volume }.map(\.file)
    guard files.count == images.count, ChannelSuffix.ends(files, labels: keys) else {
      return (images, false)
    }
    let names = files.compactMap { file in SourceName(file, hasChannel: true).map { (file, $0) } }
    return (names, true)
  }

  static func data(_ path: String, _ name: SourceName, _ array: String) -> SourceData {
    name.kind == .array ? .array(path, name: array) : .volume(path)
  }

  /// The frames of a folder that holds PNG files itself and no volumes, nil if it holds none.
  ///
  /// - Throws: `FormatError`.
  public static func frames(in folder: String) throws -> SourceData? {
    let files = named(try FolderListing(folder).files)
    let frames = ordered(files.filter { $0.name.kind == .picture })
    guard !frames.isEmpty, !files.contains(where: { [.volume, .array].contains($0.name.kind) })
    else { return nil }
    return .frames(folder, frames.map { folder + "/" + $0.file })
  }

  /// A file's name without its endings, and without nnU-Net's channel if it is known to have one.
  public static func stem(_ file: String, hasChannel: Bool = false) -> String {
    for ending in [
      ".nii.gz", ".nii", ".hdr.gz", ".hdr", ".npy.h5", ".h5", ".npz", ".npy", ".png", ".pkl",
    ]
    where file.lowercased().hasSuffix(ending) {
      let stem = String(file.dropLast(ending.count))
      return hasChannel ? ChannelSuffix.removed(from: stem) ?? stem : stem
    }
    return file
  }

  /// The name of a case that is one file, of which nothing beside it is known.
  public static func name(of file: String) -> String {
    stem(file, hasChannel: ChannelSuffix.ends([file], labels: []))
  }

  /// Frames by the numbers at the ends of their names, whatever zeros stand before them.
  static func ordered(_ frames: [NamedFile]) -> [NamedFile] {
    frames.sorted {
      let (first, second) = (trailingNumber($0.name.key), trailingNumber($1.name.key))
      return (first ?? -1, TensorName($0.file)) < (second ?? -1, TensorName($1.file))
    }
  }
}
