import Datasets
import Formats
import Support
import Synchronization

/// One case from its scan to its files.
public struct CasePrediction: Sendable {
  public struct Outcome: Sendable, Equatable {
    public var slices: Int
    public var windows: Int
    /// Voxels of every class, the background first.
    public var voxels: [Int]
  }

  private let predictor: Predictor
  private let classNames: [String]
  private let target: PredictionTarget
  private let overwrite: Bool

  public init(
    _ predictor: Predictor, classNames: [String], target: PredictionTarget, overwrite: Bool
  ) {
    self.predictor = predictor
    self.classNames = classNames
    self.target = target
    self.overwrite = overwrite
  }

  /// Segments a scan and writes its labels, and the probabilities if they are kept.
  ///
  /// - Parameter preview: where to write a picture, if anywhere.
  /// - Throws: `DatasetError`, `FormatError`; files that were not complete are not there then.
  public func run(
    _ scan: any Scan, rule: IntensityRule, box: Box3D?, preview: String?,
    progress: @escaping ProgressHandler
  ) throws -> Outcome {
    let predictions = try predictor.start(scan, rule: rule, box: box, progress: progress)
    try target.createFolders()
    var labels: [UInt8] = []
    labels.reserveCapacity(scan.width * scan.height * scan.slices)
    let take = { (slice: SlicePredictions.Slice, place: Int) in
      if case .frames = target { try writeFrame(slice.labels, scan, place) }
      labels += slice.labels
    }
    if predictor.options.keepsProbabilities {
      try writeProbabilities(predictions, scan, take)
    } else {
      var place = 0
      while let slice = try predictions.next() {
        try take(slice, place)
        place += 1
      }
    }
    if case .volume(let path) = target { try write(labels, scan, to: path) }
    if let preview {
      let picture = try Preview(
        scan, rule: rule, orientation: predictor.orientation, classNames: classNames)
      try PNGFile.write(picture.image(labels), to: preview, overwrite: overwrite)
    }
    var voxels = [Int](repeating: 0, count: predictor.model.classCount)
    for label in labels { voxels[Int(label)] += 1 }
    return Outcome(slices: scan.slices, windows: predictions.windowCount, voxels: voxels)
  }

  private func write(_ labels: [UInt8], _ scan: any Scan, to path: String) throws {
    let shape = [scan.width, scan.height, scan.slices]
    let template =
      (scan as? VolumeScan)?.volume.template ?? NIfTITemplate(shape: shape, affine: scan.affine)
    try template.write(labels: labels, shape: shape, to: path, overwrite: overwrite)
  }

  private func writeFrame(_ labels: [UInt8], _ scan: any Scan, _ place: Int) throws {
    let picture = RasterImage(
      width: scan.width, height: scan.height, channels: 1,
      palette: ClassPalette.colours(classNames.count), bytes: labels)
    try PNGFile.write(picture, to: target.files[place], overwrite: overwrite)
  }

  /// Writes an HDF5 file with `probabilities` [z, classes, y, x] while the slices come.
  private func writeProbabilities(
    _ predictions: SlicePredictions, _ scan: any Scan,
    _ take: (SlicePredictions.Slice, Int) throws -> Void
  ) throws {
    let classes = predictor.model.classCount
    let tensor = try TensorInfo(
      name: "probabilities", dtype: .float32,
      shape: [scan.slices, classes, scan.height, scan.width])
    let format = OutputFormat(.hdf5, chunkCompression: .zstd(level: 1), chunksFirstAxis: true)
    let names = CheckpointMetadata([
      .init(key: "wt.class_names", value: classNames.joined(separator: "\n"))
    ])
    try withoutActuallyEscaping(take) { take in
      // The writer takes the one tensor once, from front to back, on this thread.
      nonisolated(unsafe) let (predictions, take) = (predictions, take)
      let writer = CheckpointWriter([tensor], metadata: names, format: format) { _ in
        SliceReader(scan.slices) { place in
          guard let slice = try predictions.next() else { return [] }
          try take(slice, place)
          return bytes(of: slice.probabilities)
        }
      }
      _ = try writer.write(
        to: target.companion("probabilities.h5"), overwrite: overwrite)
    }
  }
}
