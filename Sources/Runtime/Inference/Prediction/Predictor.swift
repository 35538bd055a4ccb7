import Datasets
import Networks
import Numerics
import Support

/// How a scan is cut into windows and what is kept.
public struct PredictionOptions: Sendable, Equatable {
  /// Slices of a window.
  ///
  /// As many as the model was made for fits best; longer ones need more memory.
  public var window: Int
  /// Slices from a window to the next, at most as many as a window has.
  ///
  /// Each slice is then seen by `window / stride` windows.
  public var stride: Int
  public var keepsProbabilities: Bool

  public init(window: Int = 5, stride: Int = 1, keepsProbabilities: Bool = false) {
    precondition(window > 0 && stride > 0 && stride <= window)
    self.window = window
    self.stride = stride
    self.keepsProbabilities = keepsProbabilities
  }
}

/// Segments scans of any size with a model of one.
public struct Predictor: Sendable {
  let model: any StackModel
  let orientation: Orientation
  let options: PredictionOptions

  public init(_ model: any StackModel, orientation: Orientation, options: PredictionOptions) {
    self.model = model
    self.orientation = orientation
    self.options = options
  }

  /// Starts on a scan.
  ///
  /// - Parameters:
  ///   - rule: how its intensities become the model's input.
  ///   - box: what is to be segmented; all else becomes background in the slices beyond.
  ///   - progress: told of every window.
  /// - Throws: `DatasetError` with code `badBox`, or what looking at the scan throws.
  public func start(
    _ scan: any Scan, rule: IntensityRule, box: Box3D? = nil,
    progress: @escaping ProgressHandler = { _ in }
  ) throws -> SlicePredictions {
    if let box, !box.fits(scan) {
      throw DatasetError(
        .badBox, file: scan.path,
        expected: "a box within \(scan.width) × \(scan.height) × \(scan.slices) voxels",
        found: "\(box.lower) to \(box.upper)")
    }
    return try SlicePredictions(self, scan, rule, box, progress)
  }
}
