import Formats

/// Finds the cases of a folder.
///
/// Known layouts, at any depth up to four folders: `images/` beside `labels/` (or `masks/`), `imagesTr/`
/// beside `labelsTr/`, `img/` beside `label/`, `left_frames/` beside `labels/`; volumes beside their
/// labels (`NAME.nii.gz`, `NAME_seg.nii.gz`); numpy and HDF5 files that hold `image` and `label`. A
/// folder of images that are PNG files is one case, its frames; so is one of the stacks that MA-SAM's
/// preprocessing pickles, `images/2Dimage_0000.pkl` beside `masks/2Dmask_0000.pkl`.
public struct SourceLayout: Sendable {
  public private(set) var cases: [SourceCase] = []
  /// Cases of folders beside which there is none of labels, such as the test sets of challenges.
  public private(set) var unlabelled: [SourceCase] = []
  /// Labels without an image.
  public private(set) var orphans: [String] = []

  /// The folder as it was named.
  public let root: String

  private static let depth = 4
  private static let imageFolders = [
    "images", "imagestr", "imagests", "img", "image", "left_frames", "frames",
  ]
  private static let labelFolders = [
    "labels", "labelstr", "labelsts", "label", "masks", "mask", "annotations", "gt",
  ]

  /// Whether any case is one of MA-SAM's prepared stacks.
  var hasStacks: Bool {
    cases.contains { if case .stacks = $0.image { true } else { false } }
  }

  /// Every file that is read for its cases, or was found beside them.
  public var files: [String] {
    let data = (cases + unlabelled).flatMap { [$0.image] + ($0.labels.map { [$0] } ?? []) }
    return data.flatMap(\.files) + orphans.flatMap(NIfTIFile.paths) + CaseLists.paths(in: root)
  }

  /// - Throws: `FormatError`, or `DatasetError` with code `noCases`.
  public init(_ root: String) throws {
    self.root = root
    let trimmed = root.count > 1 && root.hasSuffix("/") ? String(root.dropLast()) : root
    try walk(trimmed, [], Self.depth, root: lastComponent(of: trimmed))
    guard !cases.isEmpty || !unlabelled.isEmpty else {
      throw DatasetError(
        .noCases, file: root, expected: "volumes with labels, or folders of frames with labels",
        remedy: "put images into images/ and labels of the same names into labels/")
    }
  }

  private mutating func walk(
    _ folder: String, _ path: [String], _ depth: Int, root: String
  ) throws {
    let listing = try FolderListing(folder)
    var others = listing.folders
    for images in listing.folders where Self.imageFolders.contains(images.lowercased()) {
      let labels = Self.partner(of: images, in: listing.folders)
      others.removeAll { $0 == images || $0 == labels }
      try pair(folder, images, labels, path, root)
    }
    flat(folder, listing.files, path)
    guard depth > 0 else { return }
    for name in others { try walk(folder + "/" + name, path + [name], depth - 1, root: root) }
  }

  /// The labels' folder beside an images' folder.
  private static func partner(of images: String, in folders: [String]) -> String? {
    let lower = images.lowercased()
    let ending = lower.hasPrefix("images") ? String(lower.dropFirst(6)) : ""
    return folders.first { $0.lowercased() == "labels" + ending }
      ?? (ending.isEmpty ? folders.first { labelFolders.contains($0.lowercased()) } : nil)
  }

  private mutating func pair(
    _ folder: String, _ images: String, _ labels: String?, _ path: [String], _ root: String
  ) throws {
    let imagePath = folder + "/" + images
    let labelPath = labels.map { folder + "/" + $0 }
    let imageFiles = Self.named(try FolderListing(imagePath).files)
    let labelFiles = Self.named(try labelPath.map { try FolderListing($0).files } ?? [])
    for kind in [SourceName.Kind.picture, .stack]
    where imageFiles.contains(where: { $0.name.kind == kind }) {
      addSlices(kind, imagePath, imageFiles, labelPath, labelFiles, path.isEmpty ? [root] : path)
      return
    }
    var rest = labelFiles
    for (file, name) in imageFiles {
      let match = rest.firstIndex { TensorName($0.name.key) == TensorName(name.key) }
      let found = match.map { rest.remove(at: $0) }
      add(
        SourceCase(
          path: path + [Self.stem(file)], image: Self.data(imagePath + "/" + file, name, "image"),
          labels: found.flatMap { found in
            labelPath.map { Self.data($0 + "/" + found.file, found.name, "label") }
          }), isLabelled: labelPath != nil)
    }
    orphans += rest.compactMap { found in labelPath.map { $0 + "/" + found.file } }
  }

  private mutating func add(_ item: SourceCase, isLabelled: Bool) {
    if isLabelled { cases.append(item) } else { unlabelled.append(item) }
  }

  /// A case of which every slice is a file.
  private mutating func addSlices(
    _ kind: SourceName.Kind, _ imagePath: String, _ images: [(file: String, name: SourceName)],
    _ labelPath: String?,
    _ labels: [(file: String, name: SourceName)], _ path: [String]
  ) {
    let frames = Self.ordered(images.filter { $0.name.kind == kind })
    var byKey: [TensorName: String] = [:]
    for (file, name) in labels { byKey[TensorName(name.key)] = file }
    let found = frames.compactMap { byKey.removeValue(forKey: TensorName($0.name.key)) }
    let make = { (folder: String, files: [String]) -> SourceData in
      let paths = files.map { folder + "/" + $0 }
      return kind == .stack ? .stacks(folder, paths) : .frames(folder, paths)
    }
    add(
      SourceCase(
        path: path, image: make(imagePath, frames.map(\.file)),
        labels: labelPath.map { make($0, found) }), isLabelled: labelPath != nil)
    if let labelPath { orphans += byKey.values.sorted().map { labelPath + "/" + $0 } }
  }

  /// Volumes beside their labels.
  private mutating func flat(_ folder: String, _ files: [String], _ path: [String]) {
    let named = Self.named(files).filter { [.volume, .array].contains($0.name.kind) }
    var labels = named.filter { $0.name.saysLabels }
    for (file, name) in named where !name.saysLabels {
      let whole = folder + "/" + file
      let match = labels.firstIndex { TensorName($0.name.key) == TensorName(name.key) }
      let found = match.map { labels.remove(at: $0) }
      let own: SourceData? =
        name.kind == .array && !file.lowercased().hasSuffix(".npy")
        ? .array(whole, name: "label") : nil
      cases.append(
        SourceCase(
          path: path + [Self.stem(file)], image: Self.data(whole, name, "image"),
          labels: found.map { Self.data(folder + "/" + $0.file, $0.name, "label") } ?? own))
    }
    orphans += labels.map { folder + "/" + $0.file }
  }

  private static func named(_ files: [String]) -> [(file: String, name: SourceName)] {
    files.compactMap { file in SourceName(file).map { (file, $0) } }
  }

  private static func data(_ path: String, _ name: SourceName, _ array: String) -> SourceData {
    name.kind == .array ? .array(path, name: array) : .volume(path)
  }

  /// The frames of a folder that holds PNG files itself, nil if it holds none.
  ///
  /// - Throws: `FormatError`.
  public static func frames(in folder: String) throws -> SourceData? {
    let frames = ordered(named(try FolderListing(folder).files).filter { $0.name.kind == .picture })
    return frames.isEmpty ? nil : .frames(folder, frames.map { folder + "/" + $0.file })
  }

  /// A file's name without its endings and nnU-Net's channel.
  public static func stem(_ file: String) -> String {
    for ending in [
      ".nii.gz", ".nii", ".hdr.gz", ".hdr", ".npy.h5", ".h5", ".npz", ".npy", ".png", ".pkl",
    ]
    where file.lowercased().hasSuffix(ending) {
      let stem = String(file.dropLast(ending.count))
      return ending.hasPrefix(".nii") && stem.hasSuffix("_0000") ? String(stem.dropLast(5)) : stem
    }
    return file
  }

  /// Frames by the numbers at the ends of their names, whatever zeros stand before them.
  static func ordered(
    _ frames: [(file: String, name: SourceName)]
  ) -> [(file: String, name: SourceName)] {
    frames.sorted {
      let (first, second) = (trailingNumber($0.name.key), trailingNumber($1.name.key))
      return (first ?? -1, TensorName($0.file)) < (second ?? -1, TensorName($1.file))
    }
  }
}
