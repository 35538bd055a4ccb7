import Formats
import Numerics
import Support

/// A tensor under the name it is written with.
public struct NamedTensor: Sendable {
  public var name: String
  public var tensor: Tensor

  public init(_ name: String, _ tensor: Tensor) {
    self.name = name
    self.tensor = tensor
  }
}

extension SegmentAnything {
  static let tracePrefix = "trace.blocks."
  static let outputNames = ["image_embeddings", "low_res_logits", "iou_predictions"]

  /// Runs the model on what a file of inputs describes.
  ///
  /// - Parameters:
  ///   - traced: whether every block's output is kept, as `trace.blocks.i`.
  ///   - progress: told of every block of the encoder, and of the decoder as one more.
  /// - Returns: the trace, then `image_embeddings`, `low_res_logits` and `iou_predictions`.
  public func forward(
    _ input: ForwardInput, traced: Bool = false, progress: ProgressHandler = { _ in }
  ) -> [NamedTensor] {
    var named: [NamedTensor] = []
    let steps = imageEncoder.depth + 1
    let observe = { (block: Int, tensor: Tensor) in
      progress(Self.progress(block + 1, of: steps))
      if traced { named.append(NamedTensor("\(Self.tracePrefix)\(block)", tensor)) }
    }
    let output: Output
    switch input {
    case .stacks(let stacks, let boxes):
      let images = stacks.reshaped(
        to: [stacks.shape[0] * stacks.shape[1]] + stacks.shape.dropFirst(2))
      output = self(images, slices: stacks.shape[1], boxes: boxes, observe: observe)
    case .image(let image, let prompts):
      let preprocessing = SAMPreprocessing(
        modelSize: architecture.imageSize ?? 0, width: image.width, height: image.height)
      output = self(
        preprocessing.input(image), prompts: prompts.scaled(by: preprocessing), observe: observe)
    }
    progress(Self.progress(steps, of: steps))
    let results = [output.embeddings, output.masks, output.iouPredictions]
    return named + zip(Self.outputNames, results).map(NamedTensor.init)
  }

  private static func progress(_ step: Int, of steps: Int) -> Progress {
    Progress(activity: "computing", completed: step, total: steps, unit: .pieces)
  }
}

extension Prompts {
  /// The same in pixels of the model's input.
  func scaled(by preprocessing: SAMPreprocessing) -> Prompts {
    var result = self
    result.points = points?.map { points in
      points.map { point in
        let place = preprocessing.scaled(x: point.x, y: point.y)
        return Point(x: place.x, y: place.y, label: point.label)
      }
    }
    result.boxes = boxes?.map { box in
      let start = preprocessing.scaled(x: box.left, y: box.top)
      let end = preprocessing.scaled(x: box.right, y: box.bottom)
      return Box(left: start.x, top: start.y, right: end.x, bottom: end.y)
    }
    return result
  }
}

extension Array<NamedTensor> {
  /// Writes the tensors as floats, under their names, and masks as bytes behind them.
  ///
  /// - Parameter isInput: whether a path is that of something read, which no file may replace.
  /// - Throws: `FormatError`; the target is then what it was before.
  public func write(
    with masks: MaskOutputs? = nil, to path: String, format: OutputFormat = OutputFormat(),
    overwrite: Bool, isInput: (String) -> Bool
  ) throws {
    let packed = map { NamedTensor($0.name, $0.tensor.packed()) }
    let infos = try packed.map {
      try TensorInfo(name: TensorName($0.name), dtype: .float32, shape: $0.tensor.shape)
    }
    let bytes = try masks?.tensors() ?? []
    let writer = CheckpointWriter(infos + bytes.map(\.info), format: format) { place in
      place < packed.count
        ? FloatReader(packed[place].tensor) : bytes[place - packed.count].reader()
    }
    for file in try writer.files(at: path) {
      try AtomicFile.refuseInput(file, isInput: isInput(file))
    }
    _ = try writer.write(to: path, overwrite: overwrite)
  }
}

/// Hands out a tensor in memory, front to back.
public final class FloatReader: TensorReader {
  private let tensor: Tensor
  private var done = 0

  /// - Parameter tensor: packed.
  public init(_ tensor: Tensor) {
    precondition(tensor.isPacked)
    self.tensor = tensor
  }

  public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let all = UnsafeRawBufferPointer(start: tensor.pointer, count: tensor.count * 4)
    let part = all[done...].prefix(buffer.count)
    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: part))
    done += part.count
    return withExtendedLifetime(tensor) { part.count }
  }
}
