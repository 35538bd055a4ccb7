import Formats
import Support

/// Finds the cases of a folder.
///
/// Known layouts, at any depth: `images/` beside `labels/` (or `masks/`), `imagesTr/`
/// beside `labelsTr/`, `img/` beside `label/`, `left_frames/` beside `labels/`; volumes beside their
/// labels (`NAME.nii.gz`, `NAME_seg.nii.gz`); numpy and HDF5 files that hold `image` and `label`. A
/// folder of images that are PNG files is one case, its frames; so is one of the stacks that MA-SAM's
/// preprocessing pickles, `images/2Dimage_0000.pkl` beside `masks/2Dmask_0000.pkl`. Where kinds are
/// mixed, volumes go first.
public struct SourceLayout: Sendable {
  public internal(set) var cases: [SourceCase] = []
  /// Cases of folders beside which there is none of labels, such as the test sets of challenges.
  public internal(set) var unlabelled: [SourceCase] = []
  /// Volumes whose names say that they are labels, in no folder of labels and of no image.
  public internal(set) var strays: [SourceCase] = []
  /// Labels without an image.
  public internal(set) var orphans: [String] = []
  /// Files and folders of images that belong to no case.
  public internal(set) var leftOut: [String] = []
  /// What lies there and cannot be told.
  public internal(set) var unreadable: [UnreadableEntry] = []
  /// The folder as it was named.
  public let root: String
  private var visits = FolderVisits()

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
    let data = (cases + unlabelled + strays).flatMap { [$0.image] + ($0.labels.map { [$0] } ?? []) }
    return data.flatMap(\.files) + orphans.flatMap(NIfTIFile.paths) + CaseLists.paths(in: root)
  }

  /// - Throws: `FormatError`, or `DatasetError` with code `noCases`.
  public init(_ root: String) throws {
    try self.init(ofAny: root)
    guard !cases.isEmpty || !unlabelled.isEmpty || !strays.isEmpty else {
      throw DatasetError(
        .noCases, file: root, expected: "volumes with labels, or folders of frames with labels",
        remedy: "put images into images/ and labels of the same names into labels/")
    }
  }

  /// The same of a folder that may hold nothing.
  public init(ofAny root: String) throws {
    self.root = root
    let trimmed = root.count > 1 && root.hasSuffix("/") ? String(root.dropLast()) : root
    try walk(trimmed, [], isBesideImages: false)
  }

  /// What is in a folder, once.
  ///
  /// - Parameter isBesideImages: whether a folder of a known layout lies beside it.
  private mutating func walk(
    _ folder: String, _ path: [String], isBesideImages: Bool
  ) throws {
    guard visits.isNew(folder) else { return }
    let listing = try list(folder)
    let files = Self.named(listing.files)
    if listing.folders.isEmpty, !files.isEmpty, files.allSatisfy({ $0.name.kind == .picture }) {
      addFrames(folder, files, path, isBesideImages)
      return
    }
    var others = listing.folders
    let imageFolders = listing.folders.filter { Self.imageFolders.contains($0.lowercased()) }
    for images in imageFolders {
      let labels = Self.partner(of: images, in: listing.folders)
      others.removeAll { $0 == images || $0 == labels }
      try pair(folder + "/" + images, labels.map { folder + "/" + $0 }, path)
    }
    addFlat(folder, files, path)
    for name in others {
      try walk(folder + "/" + name, path + [name], isBesideImages: !imageFolders.isEmpty)
    }
  }

  private mutating func list(_ folder: String) throws -> FolderListing {
    let listing = try FolderListing(folder)
    unreadable += listing.unreadable
    return listing
  }

  /// The labels' folder beside an images' folder.
  private static func partner(of images: String, in folders: [String]) -> String? {
    let lower = images.lowercased()
    let ending = lower.hasPrefix("images") ? String(lower.dropFirst(6)) : ""
    return folders.first { $0.lowercased() == "labels" + ending }
      ?? (ending.isEmpty ? folders.first { labelFolders.contains($0.lowercased()) } : nil)
  }

  /// A folder of images and that of their labels, and the folders of the same names in both.
  private mutating func pair(_ images: String, _ labels: String?, _ path: [String]) throws {
    guard visits.isNew(images) else { return }
    let found = try list(images)
    let beside = try labels.map { try list($0) }
    addPairs(Folder(images, found.files), labels.map { Folder($0, beside?.files ?? []) }, path)
    for name in found.folders {
      if let labels, beside?.folders.contains(name) == true {
        try pair(images + "/" + name, labels + "/" + name, path + [name])
      } else {
        try walk(images + "/" + name, path + [name], isBesideImages: false)
      }
    }
    if let labels, let beside {
      leftOut += beside.folders.filter { !found.folders.contains($0) }.map { labels + "/" + $0 }
    }
  }
}

extension SourceLayout {
  /// What a user should know of files that are named like data and belong to no case.
  public var leftOutNote: String? {
    leftOut.first.map {
      "\(leftOut.count) file(s) or folder(s) that belong to no case were left out, such as "
        + "'\($0.escapedForDisplay)'"
    }
  }
}
