import Datasets
import Formats
import Inference
import Support

/// The labels that boxes are drawn around: one file, or for each case that of its name in a folder.
struct BoxLabels {
  private struct Candidate {
    var folders: [String]
    var key: TensorName
    var path: String
  }

  private let path: String
  private let candidates: [Candidate]
  private let isFolder: Bool

  /// - Throws: `FormatError`.
  init(_ path: String) throws {
    self.path = path
    isFolder = FolderListing.isFolder(path)
    guard isFolder else {
      candidates = []
      return
    }
    let tree = try FolderTree(path)
    if let entry = tree.unreadable.first { throw entry.error }
    candidates = tree.files.compactMap { file in
      guard let name = SourceName(file.name), [.volume, .array].contains(name.kind) else {
        return nil
      }
      return Candidate(folders: file.folders, key: TensorName(name.key), path: file.path)
    }
  }

  /// Every file that boxes may come from.
  var files: [String] {
    isFolder ? candidates.flatMap { NIfTIFile.paths(of: $0.path) } : NIfTIFile.paths(of: path)
  }

  /// The labels of a scan: in the folders that lead to it, else under its whole name, else wherever
  /// there is one file of its own name.
  ///
  /// - Throws: `DatasetError` with code `badBox`.
  func file(for item: PredictionSource.Item) throws -> String {
    guard isFolder else { return path }
    let own = Self.keys(item.path.last ?? item.name)
    let whole = Self.keys(item.name)
    let places = [
      candidates.filter { $0.folders == item.path.dropLast() && own.contains($0.key) },
      candidates.filter { $0.folders.isEmpty && whole.contains($0.key) },
      candidates.filter { own.contains($0.key) },
    ]
    let found = places.first { !$0.isEmpty } ?? []
    let match = found.first
    guard let match, found.count == 1 else {
      throw DatasetError(
        .badBox, file: path, subject: item.name, expected: "one file of labels of this name",
        found: found.isEmpty ? "none" : "\(found.count), such as \(found[0].path.escapedForDisplay)"
      )
    }
    return match.path
  }

  /// What the labels of a case may be called, with nnU-Net's channel and without.
  private static func keys(_ name: String) -> Set<TensorName> {
    Set(
      [false, true].compactMap { hasChannel in
        SourceName(name + ".nii", hasChannel: hasChannel).map { TensorName($0.key) }
      })
  }
}
