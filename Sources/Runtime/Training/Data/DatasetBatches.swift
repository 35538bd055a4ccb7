import Augmentation
import Datasets
import Networks
import Numerics
import Support
import Synchronization

/// Batches of a dataset's stacks, each epoch in an order of its own.
///
/// Every slice of every training case is the middle of one sample. What a batch holds depends on the
/// seed and its number alone. The last batch of an epoch has what is left.
public final class DatasetBatches: BatchSource {
  /// What the model takes.
  public struct Model: Sendable {
    /// The background among them.
    public var classes: Int
    /// Pixels a side.
    public var imageSize: Int
    public var slices: Int

    public init(classes: Int, imageSize: Int, slices: Int) {
      self.classes = classes
      self.imageSize = imageSize
      self.slices = slices
    }
  }

  /// A stack: its case and its middle.
  struct Sample: Sendable, Equatable {
    var item: Int
    var slice: Int
  }

  private let file: DatasetFile
  private let configuration: TrainingConfiguration
  private let model: Model
  let samples: [Sample]
  /// By case; nil for those that are not trained on.
  private let surveys: [CaseSurvey?]
  /// The last epoch's order, as its batches come one after the other.
  private let order = Mutex<(epoch: Int, indices: [Int])?>(nil)

  /// Looks at every number of every case that is trained on.
  ///
  /// With box prompts only the slices that a case's box reaches are sampled: elsewhere there is
  /// nothing to point at.
  ///
  /// - Throws: `TrainingError` with code `dataMismatch` or `noSamples`; `DatasetError` with code
  ///   `labelOutOfRange` or `notFinite`; `FormatError`.
  public init(
    _ file: DatasetFile, _ configuration: TrainingConfiguration, for model: Model,
    progress: @escaping ProgressHandler = { _ in }
  ) throws {
    try Self.check(file, model)
    self.file = file
    self.configuration = configuration
    self.model = model
    let cases = file.cases.indices.filter { file.cases[$0].split == .train }
    surveys = try CaseSurvey.of(cases, in: file, progress: progress)
    samples = Self.samples(file, surveys, configuration)
    guard surveys.contains(where: { $0?.extent != nil }) else {
      throw TrainingError(
        .noSamples, file: file.path, expected: "training cases with something labelled",
        found: cases.isEmpty ? "no training case" : "background alone in \(cases.count)",
        remedy: "prepare data with cases to train on")
    }
  }

  private static func check(_ file: DatasetFile, _ model: Model) throws {
    guard file.classNames.count + 1 == model.classes else {
      throw TrainingError(
        .dataMismatch, file: file.path, subject: "classes",
        expected: "\(model.classes - 1), as the model has", found: "\(file.classNames.count)",
        remedy: "adapt the model with --classes \(file.classNames.count)")
    }
    let size = model.imageSize
    for item in file.cases where item.split == .train {
      guard (item.height, item.width) == (size, size) else {
        throw TrainingError(
          .dataMismatch, file: file.path, subject: item.name,
          expected: "slices of \(size) × \(size) pixels, as the model takes",
          found: "\(item.height) × \(item.width)",
          remedy: "prepare the data at that size, or adapt the model with --image-size")
      }
    }
  }

  private static func samples(
    _ file: DatasetFile, _ surveys: [CaseSurvey?], _ configuration: TrainingConfiguration
  ) -> [Sample] {
    surveys.indices.flatMap { index -> [Sample] in
      guard let survey = surveys[index] else { return [] }
      let count = file.cases[index].slices
      guard configuration.prompt == .box3d else {
        return (0..<count).map { Sample(item: index, slice: $0) }
      }
      guard let extent = survey.extent else { return [] }
      return extent.slices(relaxedBy: configuration.boxRelaxation, of: count)
        .map { Sample(item: index, slice: $0) }
    }
  }

  /// The SHA-256 of everything that the cases which are trained on hold.
  var digest: String { CaseSurvey.digest(of: surveys, in: file) }

  public var batchesPerEpoch: Int {
    (samples.count + configuration.batchSize - 1) / configuration.batchSize
  }

  /// The samples of a batch, in their order.
  func samples(ofBatch step: Int) -> [Sample] {
    let (epoch, position) = step.quotientAndRemainder(dividingBy: batchesPerEpoch)
    let indices = order.withLock { order -> [Int] in
      if let order, order.epoch == epoch { return order.indices }
      let made = Permutation.indices(samples.count, seed: configuration.seed, epoch: epoch)
      order = (epoch, made)
      return made
    }
    let start = position * configuration.batchSize
    return indices[start..<min(start + configuration.batchSize, indices.count)].map { samples[$0] }
  }

  public func batch(step: Int) throws -> TrainingBatch {
    let chosen = samples(ofBatch: step)
    let size = model.imageSize
    let images = Tensor(uninitialised: [chosen.count, model.slices, 3, size, size])
    var labels: [Int16] = []
    labels.reserveCapacity(chosen.count * model.slices * size * size)
    var boxes: [Prompts.Box] = []
    for (place, sample) in chosen.enumerated() {
      let stack = try stack(sample, step: step, place: place)
      Self.copy(stack, into: images[place])
      labels += stack.labels.lazy.map(Int16.init)
      boxes += (stack.boxes ?? []).map(Prompts.Box.init)
    }
    return TrainingBatch(
      images: images, labels: labels, boxes: configuration.prompt == .box3d ? boxes : nil)
  }

  /// Reads and changes one stack.
  private func stack(_ sample: Sample, step: Int, place: Int) throws -> AugmentedSample {
    let item = file.cases[sample.item]
    let read = try file.readStack(case: sample.item, centre: sample.slice, slices: model.slices)
    let stream = { [seed = configuration.seed] (name: String) in
      RandomStream(
        seed: seed, name: name, step: UInt32(truncatingIfNeeded: step),
        sample: UInt32(truncatingIfNeeded: place))
    }
    // Grey is changed once and repeated afterwards.
    var stack = AugmentedSample(
      images: item.channels == 1 ? Self.firstChannel(read) : read.images, labels: read.labels,
      boxes: boxes(sample, item, stream("box jitter")), slices: read.slices,
      channels: item.channels, height: read.height, width: read.width)
    if configuration.augmentation == .masam {
      MASAMAugmentation()(&stack, randomness: stream("augmentation"))
    }
    return stack
  }

  /// One box for all slices, as the published prompts are.
  private func boxes(
    _ sample: Sample, _ item: DatasetCase, _ stream: RandomStream
  ) -> [AugmentedSample.Box]? {
    guard configuration.prompt == .box3d, let extent = surveys[sample.item]?.extent else {
      return nil
    }
    let box = extent.box(
      relaxedBy: configuration.boxRelaxation, jitter: configuration.boxJitter, width: item.width,
      height: item.height, stream)
    return [AugmentedSample.Box](repeating: box, count: model.slices)
  }

  private static func firstChannel(_ stack: DatasetStack) -> [Float] {
    let plane = stack.height * stack.width
    return (0..<stack.slices).flatMap { stack.images[3 * $0 * plane..<(3 * $0 + 1) * plane] }
  }

  /// Copies a stack, grey three times, to a tensor [slices, 3, height, width].
  private static func copy(_ stack: AugmentedSample, into tensor: Tensor) {
    let plane = stack.height * stack.width
    stack.images.withUnsafeBufferPointer { images in
      guard let base = images.baseAddress else { return }
      for slice in 0..<stack.slices {
        for channel in 0..<3 {
          let source = slice * stack.channels + (stack.channels == 3 ? channel : 0)
          (tensor.pointer + (3 * slice + channel) * plane)
            .update(from: base + source * plane, count: plane)
        }
      }
    }
    withExtendedLifetime(tensor) {}
  }
}

extension Prompts.Box {
  /// From edges of pixels to their places: a box around one pixel begins and ends at it.
  init(_ box: AugmentedSample.Box) {
    self.init(
      left: box.x0, top: box.y0, right: max(box.x0, box.x1 - 1), bottom: max(box.y0, box.y1 - 1))
  }
}
