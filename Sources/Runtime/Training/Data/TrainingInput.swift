import Datasets
import Formats
import Support
import Surgery

/// What a run is trained on: a dataset, or batches that a file holds ready.
public struct TrainingInput: Sendable {
  public let source: any BatchSource
  /// Of each stack.
  public let slices: Int
  /// Whether the model is given a box for each slice.
  public let isPrompted: Bool
  /// What the model learns besides numbers: what its classes are, and how scans become its input.
  public let lessons: [(key: ModelMetadata.Key, value: String)]
  private let identify: @Sendable () throws -> String

  /// Opens the one of the two that is given, and checks every number that is trained on.
  ///
  /// - Throws: what `DatasetBatches` or `BatchFile` throws.
  public init(
    data: String?, batches: String?, _ configuration: TrainingConfiguration,
    for model: Architecture, progress: @escaping ProgressHandler = { _ in }
  ) throws {
    let (classes, size) = (model.decoder.maskTokens, model.imageSize ?? 0)
    if let batches {
      let file = try BatchFile(
        path: batches, classes: classes, imageSize: size, slices: model.slices,
        usesBoxes: configuration.prompt != .none)
      guard configuration.prompt != .box3d || file.hasBoxes else {
        throw TrainingError(
          .badBatches, file: batches, subject: "boxes", expected: "a box for each slice",
          found: "none", remedy: "train without --prompt box3d")
      }
      (source, slices, lessons, isPrompted) = (file, file.slices, [], file.hasBoxes)
      identify = { try CheckpointHash(openCheckpoint(batches)).content }
      return
    }
    let file = try DatasetFile(path: data ?? "")
    slices = model.slices ?? Self.publishedSlices
    let batches = try DatasetBatches(
      file, configuration, for: .init(classes: classes, imageSize: size, slices: slices),
      progress: progress)
    source = batches
    isPrompted = configuration.prompt == .box3d
    lessons = [
      (.profile, file.description.profile),
      (.classNames, file.classNames.joined(separator: "\n")),
    ].filter { !$0.value.isEmpty }
    identify = { batches.digest }
  }

  /// Slices of a stack where no model says it; those of MA-SAM.
  private static let publishedSlices = 5

  /// What tells these data from others, in hexadecimal digits.
  public func identity() throws -> String { try identify() }
}
