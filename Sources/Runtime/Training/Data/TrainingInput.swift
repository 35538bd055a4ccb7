import Datasets
import Formats
import Support
import Surgery

/// What a run is trained on: a dataset, or batches that a file holds ready.
public struct TrainingInput: Sendable {
  public let source: any BatchSource
  /// Of each stack.
  public let slices: Int
  /// What the model learns besides numbers: what its classes are, and how scans become its input.
  public let lessons: [(key: ModelMetadata.Key, value: String)]
  private let identify: @Sendable () throws -> String

  /// Opens and checks the one of the two that is given.
  ///
  /// - Throws: what `DatasetBatches` or `BatchFile` throws.
  public init(
    data: String?, batches: String?, _ configuration: TrainingConfiguration,
    for model: Architecture
  ) throws {
    let (classes, size) = (model.decoder.maskTokens, model.imageSize ?? 0)
    if let batches {
      let file = try BatchFile(path: batches, classes: classes, imageSize: size)
      guard configuration.prompt == .none || file.hasBoxes else {
        throw TrainingError(
          .badBatches, file: batches, subject: "boxes", expected: "a box for each slice",
          found: "none", remedy: "train without --prompt box3d")
      }
      (source, slices, lessons) = (file, file.slices, [])
      identify = { try CheckpointHash(openCheckpoint(batches)).content }
      return
    }
    let file = try DatasetFile(path: data ?? "")
    slices = model.slices ?? Self.publishedSlices
    source = try DatasetBatches(
      file, configuration, for: .init(classes: classes, imageSize: size, slices: slices))
    lessons = [
      (.profile, file.description.profile),
      (.classNames, file.classNames.joined(separator: "\n")),
    ].filter { !$0.value.isEmpty }
    identify = { Self.identity(file) }
  }

  /// Slices of a stack where no model says it; those of MA-SAM.
  private static let publishedSlices = 5

  /// What tells these data from others, in hexadecimal digits.
  public func identity() throws -> String { try identify() }

  /// Cases, their extents and the digests of the files that they were made from.
  private static func identity(_ file: DatasetFile) -> String {
    var hash = ContentHash()
    for name in file.classNames + [file.description.profile] { hash.update(name + "\n") }
    for item in file.cases {
      let extents = [item.slices, item.channels, item.height, item.width]
      hash.update(
        "\(item.name)\n\(item.split.rawValue) \(extents) \(item.normalisation.rawValue)\n")
      for source in item.sources { hash.update("\(source.name) \(source.digest)\n") }
    }
    return hash.hexDigest()
  }
}
