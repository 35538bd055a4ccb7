import Formats

/// Which prediction belongs to which reference.
public struct EvaluationPairs: Sendable, Equatable {
  public struct Pair: Sendable, Equatable {
    /// What both files are called, without endings; the folders below the given ones in front.
    public var name: String
    public var prediction: String
    public var reference: String
  }

  /// In the order of their names.
  public private(set) var pairs: [Pair] = []
  /// Predictions without a reference.
  public private(set) var extraPredictions: [String] = []
  /// References without a prediction.
  public private(set) var missingPredictions: [String] = []

  private static let endings = [".nii.gz", ".nii", ".hdr.gz", ".hdr", ".png"]
  private static let depth = 8

  /// Pairs two files, or the volumes and pictures of two folders by name.
  ///
  /// - Throws: `EvaluationError` with code `noPairs`, or `FormatError`.
  public init(prediction: String, reference: String) throws {
    guard FolderListing.isFolder(prediction) || FolderListing.isFolder(reference) else {
      let name = Self.stem(lastComponent(of: reference)) ?? lastComponent(of: reference)
      pairs = [Pair(name: name, prediction: prediction, reference: reference)]
      return
    }
    let predictions = try Self.files(prediction)
    var rest: [TensorName: String] = [:]
    for (name, path) in predictions { rest[TensorName(name)] = path }
    for (name, path) in try Self.files(reference) {
      if let found = rest.removeValue(forKey: TensorName(name)) {
        pairs.append(Pair(name: name, prediction: found, reference: path))
      } else {
        missingPredictions.append(path)
      }
    }
    extraPredictions = predictions.filter { rest[TensorName($0.name)] != nil }.map(\.path)
    guard !pairs.isEmpty else {
      throw EvaluationError(
        .noPairs, file: prediction, expected: "names as in \(reference)",
        found: predictions.first.map { "'\($0.name)' and others" } ?? "no volume and no picture",
        remedy: "give both files of a case the same name, whatever their endings")
    }
  }

  /// All files that may hold labels, with their names, sorted.
  private static func files(_ root: String) throws -> [(name: String, path: String)] {
    var result: [(name: String, path: String)] = []
    var waiting = [(path: root, prefix: "", depth: 0)]
    while let folder = waiting.popLast() {
      let listing = try FolderListing(folder.path)
      for file in listing.files {
        guard let stem = stem(file) else { continue }
        result.append((folder.prefix + stem, folder.path + "/" + file))
      }
      guard folder.depth < depth else { continue }
      waiting += listing.folders.map {
        (folder.path + "/" + $0, folder.prefix + $0 + "/", folder.depth + 1)
      }
    }
    return result.sorted { (TensorName($0.name), $0.path) < (TensorName($1.name), $1.path) }
  }

  /// A file's name without the ending, nil for a file that holds no labels.
  private static func stem(_ file: String) -> String? {
    let lower = file.lowercased()
    guard let ending = endings.first(where: { lower.hasSuffix($0) }), lower != ending else {
      return nil
    }
    return String(file.dropLast(ending.count))
  }
}
