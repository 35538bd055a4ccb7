import Datasets
import Networks
import Numerics
import Support

/// What a model makes of a scan, slice by slice, as it is asked for.
///
/// Windows run from the first slice to the last, edges repeated; the softmax of every window is averaged
/// over those that see a slice, and no more than a window's slices are in memory.
public final class SlicePredictions {
  /// One slice in the scan's own grid.
  public struct Slice: Sendable {
    /// Of shape [y, x].
    public var labels: [UInt8]
    /// Of shape [classes, y, x]; empty unless they are kept.
    public var probabilities: [Float]
  }

  private let predictor: Predictor
  private let scan: any Scan
  private let transform: IntensityTransform
  private let normalisesStacks: Bool
  private let box: Box3D?
  private let zoom: SplineZoom
  private let progress: ProgressCounter
  /// The first slices of the windows, which may lie before the scan.
  private let starts: [Int]
  private var nextWindow = 0
  private var nextSlice = 0
  /// Slices as the model takes them, [channels, size, size].
  private var inputs: [Int: [Float]] = [:]
  private var sums: [Int: ProbabilitySum] = [:]
  private var map: GridMap?

  init(
    _ predictor: Predictor, _ scan: any Scan, _ rule: IntensityRule, _ box: Box3D?,
    _ progress: @escaping ProgressHandler
  ) throws {
    self.predictor = predictor
    self.scan = scan
    self.box = box
    transform = try IntensityTransform(rule, for: scan)
    normalisesStacks = rule.normalise == .stack
    let size = predictor.model.imageSize
    zoom = SplineZoom(height: scan.height, width: scan.width, newHeight: size, newWidth: size)
    starts = Self.starts(predictor.options, slices: scan.slices)
    let bytes = 4 * predictor.options.window * 3 * size * size
    self.progress = ProgressCounter("predicting", total: starts.count * bytes, progress)
    windowBytes = bytes
  }

  private let windowBytes: Int

  /// Slices that some window has spoken of and others will still.
  var liveSlices: Int { sums.count }

  /// The windows that are run on the whole scan.
  public var windowCount: Int { starts.count }

  /// The first slices of the windows over a scan, some of which may lie before it.
  ///
  /// With a stride of one, as published, every slice is the middle of a window. With longer ones windows stay within, and the last ends with the scan.
  static func starts(_ options: PredictionOptions, slices: Int) -> [Int] {
    let window = options.window
    if options.stride == 1 { return (0..<slices).map { $0 - window / 2 } }
    guard window < slices else { return [-((window - slices) / 2)] }
    let last = slices - window
    return Array(stride(from: 0, to: last, by: options.stride)) + [last]
  }

  /// The next slice, nil after the last.
  ///
  /// - Throws: what reading the scan throws, `DatasetError` with code `notFinite` of its intensities, or
  ///   `RuntimeError` with that code when the model gives no numbers.
  public func next() throws -> Slice? {
    guard nextSlice < scan.slices else { return nil }
    while nextWindow < starts.count, starts[nextWindow] <= nextSlice {
      try run(starts[nextWindow])
      nextWindow += 1
      progress.add(windowBytes)
    }
    defer { nextSlice += 1 }
    return resolve(sums.removeValue(forKey: nextSlice))
  }

  private func run(_ start: Int) throws {
    let window = start..<start + predictor.options.window
    let seen = window.filter { (0..<scan.slices).contains($0) && isWanted($0) }
    guard !seen.isEmpty else { return }
    let size = predictor.model.imageSize
    let prompt = box?.prompt(in: scan, predictor.orientation, size: size)
    let logits = predictor.model.logits(
      try stack(window), boxes: prompt.map { Array(repeating: $0, count: window.count) }
    ).packed()
    let (height, width) = (logits.shape[2], logits.shape[3])
    map =
      map
      ?? GridMap(
        height: scan.height, width: scan.width, inputSize: size, maskHeight: height,
        maskWidth: width)
    for slice in seen {
      let sum =
        sums[slice]
        ?? ProbabilitySum(classes: predictor.model.classCount, height: height, width: width)
      guard sum.add(logits, slice: slice - start) else { throw noNumber(slice) }
      sums[slice] = sum
    }
  }

  private func noNumber(_ slice: Int) -> RuntimeError {
    RuntimeError(
      .notFinite, file: scan.path, subject: "slice \(slice)", expected: "numbers from the model",
      found: "nan", remedy: "see where they come from: wt verify MODEL")
  }

  /// Whether a slice can hold anything: of those that a box does not reach, nothing is asked.
  private func isWanted(_ slice: Int) -> Bool { box?.slices.contains(slice) ?? true }

  /// A window's slices as the model takes them, [slices, 3, size, size].
  private func stack(_ window: Range<Int>) throws -> Tensor {
    let size = predictor.model.imageSize
    let chosen = window.map { min(max($0, 0), scan.slices - 1) }
    inputs = inputs.filter { chosen.contains($0.key) }
    for slice in Set(chosen).sorted() where inputs[slice] == nil {
      inputs[slice] = try input(slice)
    }
    var (least, most) = (Float(0), Float(1))
    if normalisesStacks {
      let numbers = chosen.compactMap { inputs[$0] }
      least = numbers.compactMap { $0.min() }.min() ?? 0
      most = numbers.compactMap { $0.max() }.max() ?? 0
    }
    let (offset, range) = (least, most - least)
    let result = Tensor(uninitialised: [window.count, 3, size, size])
    var target = result.pointer
    for slice in chosen {
      let numbers = inputs[slice] ?? []
      for channel in 0..<3 {
        let start = scan.channels == 3 ? channel * size * size : 0
        for number in numbers[start..<start + size * size] {
          target.pointee = range > 0 ? (number - offset) / range : 0
          target += 1
        }
      }
    }
    return withExtendedLifetime(result) { result }
  }

  private func input(_ slice: Int) throws -> [Float] {
    let plane = scan.width * scan.height
    let numbers = try scan.plane(slice)
    if let wrong = numbers.first(where: { !$0.isFinite }) {
      throw DatasetError(
        .notFinite, file: scan.path, subject: "slice \(slice)", expected: "finite intensities",
        found: "\(wrong)")
    }
    let turned = predictor.orientation.turned(numbers.map { transform($0) }, plane: plane)
    guard scan.channels > 1 else { return zoom(turned).map { Float($0) } }
    return (0..<scan.channels).flatMap { channel in
      zoom(Array(turned[channel * plane..<(channel + 1) * plane])).map { Float($0) }
    }
  }

  private func resolve(_ sum: ProbabilitySum?) -> Slice {
    let (plane, classes) = (scan.width * scan.height, predictor.model.classCount)
    let keeps = predictor.options.keepsProbabilities
    guard let sum, let map else {
      // Beyond the box everything is background.
      let certain = [Float](repeating: 1, count: plane)
      let never = [Float](repeating: 0, count: (classes - 1) * plane)
      return Slice(
        labels: [UInt8](repeating: 0, count: plane), probabilities: keeps ? certain + never : [])
    }
    let found = sum.withMean {
      map.resolve($0, classes: classes, keepsProbabilities: keeps)
    }
    return Slice(
      labels: predictor.orientation.turned(found.labels, plane: plane),
      probabilities: predictor.orientation.turned(found.probabilities, plane: plane))
  }
}
