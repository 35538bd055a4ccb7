import Datasets
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

  /// Every file of either side.
  public var files: [String] {
    let paths =
      pairs.flatMap { [$0.prediction, $0.reference] } + extraPredictions + missingPredictions
    return paths.flatMap(NIfTIFile.paths)
  }

  private static let endings = [".nii.gz", ".nii", ".hdr.gz", ".hdr", ".png"]

  private struct Candidate {
    var name: String
    /// The name without what says that it is an image or its labels.
    var key: String
    /// The same of a name that ends in nnU-Net's channel, without it.
    var plainKey: String
    var path: String
  }

  /// Pairs two files, or the volumes and pictures of two folders.
  ///
  /// Files of the same name belong together; of those that are left, those that differ only in what
  /// says that they are an image or labels, such as `img0035` and `label0035`, and then those that
  /// differ only in nnU-Net's channel.
  /// - Throws: `EvaluationError` with code `noPairs`, or `FormatError`.
  public init(prediction: String, reference: String) throws {
    guard FolderListing.isFolder(prediction) || FolderListing.isFolder(reference) else {
      let name = Self.stem(lastComponent(of: reference)) ?? lastComponent(of: reference)
      pairs = [Pair(name: name, prediction: prediction, reference: reference)]
      return
    }
    var (predictions, references) = (try Self.files(prediction), try Self.files(reference))
    let first = predictions.first
    pair(&predictions, &references, by: \.name)
    pair(&predictions, &references, by: \.key)
    pair(&predictions, &references, by: \.plainKey)
    pairs.sort { TensorName($0.name) < TensorName($1.name) }
    extraPredictions = predictions.map(\.path)
    missingPredictions = references.map(\.path)
    guard !pairs.isEmpty else {
      throw EvaluationError(
        .noPairs, file: prediction, expected: "names as in \(reference)",
        found: first.map { "'\($0.name)' and others" } ?? "no volume and no picture",
        remedy: "give both files of a case the same name, whatever their endings")
    }
  }

  /// Pairs what has the same text on both sides, and there once, and leaves the rest.
  private mutating func pair(
    _ predictions: inout [Candidate], _ references: inout [Candidate],
    by text: (Candidate) -> String
  ) {
    let found = Dictionary(grouping: predictions) { TensorName(text($0)) }
    let wanted = Dictionary(grouping: references) { TensorName(text($0)) }
    func partner(_ candidate: Candidate) -> Candidate? {
      let name = TensorName(text(candidate))
      guard let one = found[name], one.count == 1, wanted[name]?.count == 1 else { return nil }
      return one[0]
    }
    let new = references.compactMap { reference in
      partner(reference).map {
        Pair(name: reference.name, prediction: $0.path, reference: reference.path)
      }
    }
    let used = (
      Set(new.map { TensorName($0.prediction) }), Set(new.map { TensorName($0.reference) })
    )
    predictions.removeAll { used.0.contains(TensorName($0.path)) }
    references.removeAll { used.1.contains(TensorName($0.path)) }
    pairs += new
  }

  /// All files that may hold labels, sorted by their names.
  private static func files(_ root: String) throws -> [Candidate] {
    let tree = try FolderTree(root)
    if let entry = tree.unreadable.first { throw entry.error }
    let found = tree.files.compactMap { file -> Candidate? in
      guard let stem = stem(file.name) else { return nil }
      let prefix = file.folders.map { $0 + "/" }.joined()
      let key = SourceName(file.name)?.key ?? stem
      let plain = SourceName(file.name, hasChannel: true)?.key ?? key
      return Candidate(
        name: prefix + stem, key: prefix + key, plainKey: prefix + plain, path: file.path)
    }
    return found.sorted { (TensorName($0.name), $0.path) < (TensorName($1.name), $1.path) }
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
