import Datasets
import Formats
import Support
import Synchronization

/// What reading a whole case once tells: that its numbers can be used, which they are, and where its
/// foreground lies.
struct CaseSurvey: Sendable {
  /// Nil when there is nothing but background.
  let extent: LabelExtent?
  /// The SHA-256 of all intensities and labels.
  let digest: String

  /// - Parameter index: of the case in the file.
  /// - Throws: `DatasetError` with code `labelOutOfRange` or `notFinite`, or `FormatError`.
  init(of index: Int, in file: DatasetFile) throws {
    let item = file.cases[index]
    var extent = LabelExtent.Builder()
    var hash = ContentHash()
    for slice in 0..<item.slices {
      let images = try file.readImages(case: index, slices: slice..<slice + 1)
      let labels = try file.readLabels(case: index, slices: slice..<slice + 1)
      images.withUnsafeBytes { hash.update($0) }
      labels.withUnsafeBytes { hash.update($0) }
      extent.include(labels, slice: slice, width: item.width)
    }
    self.extent = extent.extent
    digest = hash.hexDigest()
  }

  /// Surveys some cases of a file, several at a time.
  ///
  /// - Returns: for each case of the file what was found, nil for those that were not asked for.
  /// - Throws: what `init` throws.
  static func of(
    _ cases: [Int], in file: DatasetFile, progress: @escaping ProgressHandler
  ) throws -> [CaseSurvey?] {
    let counter = ProgressCounter(
      "checking", total: cases.reduce(0) { $0 + file.cases[$1].byteCount }, progress)
    let found = Mutex<[Int: CaseSurvey]>([:])
    try parallelFor(count: cases.count) { place in
      let survey = try CaseSurvey(of: cases[place], in: file)
      found.withLock { $0[cases[place]] = survey }
      counter.add(file.cases[cases[place]].byteCount)
    }
    return found.withLock { found in file.cases.indices.map { found[$0] } }
  }
}

extension CaseSurvey {
  /// The SHA-256 of what was surveyed: which cases, what they mean, and every number.
  static func digest(of surveys: [CaseSurvey?], in file: DatasetFile) -> String {
    var hash = ContentHash()
    for name in file.classNames + [file.description.profile] { hash.update(name + "\n") }
    for case (let item, let survey?) in zip(file.cases, surveys) {
      let extents = [item.slices, item.channels, item.height, item.width]
      hash.update(
        "\(item.name)\n\(extents) \(item.normalisation.rawValue)\n\(survey.digest)\n")
    }
    return hash.hexDigest()
  }
}

extension DatasetCase {
  /// Of the numbers of all slices.
  fileprivate var byteCount: Int { slices * height * width * (4 * channels + 1) }
}
