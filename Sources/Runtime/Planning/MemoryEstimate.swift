import Formats
import Networks
import Numerics
import Surgery

/// What a run holds in memory at its fullest, in bytes.
public struct MemoryEstimate: Sendable, Equatable {
  /// Parameters as floats, but for frozen ones of blocks that are back in their file: in training all but
  /// one block's at a time, in bfloat16 all of them, since copies of two bytes take their place.
  public var weights: Int
  /// What a stack goes through, as the pool of buffers keeps it.
  public var activations: Int
  /// Gradients and the two moments of what is trained, and what blocks keep; zero otherwise.
  public var training: Int

  public var total: Int { weights + activations + training }

  /// - Parameters:
  ///   - plan: a whole model under canonical names.
  ///   - slices: of the stack.
  public init(_ plan: Blueprint, slices: Int, trains: Bool, precision: Precision) throws {
    let model = try Architecture(plan)
    guard let encoder = model.encoder else { preconditionFailure("a workload was counted before") }
    let counts = plan.parameterCounts(model)
    let floats = MemoryLayout<Float>.stride
    let blocks = (0..<encoder.depth).map { plan.frozenCount(ofBlock: $0, model) }
    let (isRounded, frozen) = (precision == .brainFloat16, blocks.reduce(0, +))
    let unloaded = isRounded ? frozen : trains ? frozen - (blocks.max() ?? 0) : 0
    weights =
      floats * (counts.trainable + counts.frozen - unloaded)
      + (isRounded ? 2 * plan.multipliedCount : 0)
    let pixels = encoder.imageSize * encoder.imageSize
    let decoded = trains ? min(slices, SegmentAnything.decodedAtOnce(pixels: pixels)) : slices
    let kept = BlockMemory(training: plan, model, encoder, images: slices, precision)
    let encoderCopies = trains && !kept.blocks.isEmpty ? 2 : 1
    activations =
      ActivationLedger(
        plan, model, encoder, images: slices, decoded: decoded,
        copies: (encoder: encoderCopies, decoder: trains ? 2 : 1)
      ).byteCount
    training = trains ? 3 * floats * counts.trainable + kept.totalBytes : 0
  }
}

extension Blueprint {
  /// The numbers of the weights that the encoder's blocks multiply by.
  fileprivate var multipliedCount: Int {
    entries.map(\.info)
      .filter { $0.name.encoderBlock != nil && $0.shape.count > 1 }
      .reduce(0) { $0 + $1.elementCount }
  }

  /// The numbers of an encoder's block that training leaves as they are.
  fileprivate func frozenCount(ofBlock index: Int, _ model: Architecture) -> Int {
    entries.map(\.info)
      .filter { $0.name.encoderBlock == index && !ExtractDelta.isTrainable($0.name, model) }
      .reduce(0) { $0 + $1.elementCount }
  }
}

/// The buffers that live at the same time, moment by moment.
///
/// What counts is the most buffers of each size that any moment has. The pool keeps these, and lends a
/// buffer to sizes that are a little smaller, so this is more than it may come to.
struct ActivationLedger {
  /// The most buffers of a size, by size in bytes.
  private var most: [Int: Int] = [:]
  /// Of every buffer that is being noted.
  private var copies: Int

  var byteCount: Int { most.reduce(0) { $0 + $1.key * $1.value } }

  /// - Parameters:
  ///   - decoded: how many of the images are decoded at once.
  ///   - copies: of every buffer: two where there are gradients beside the numbers.
  init(
    _ plan: Blueprint, _ model: Architecture, _ encoder: Architecture.Encoder, images: Int,
    decoded: Int, copies parts: (encoder: Int, decoder: Int)
  ) {
    copies = parts.encoder
    let rows = images * encoder.grid * encoder.grid
    let (width, inner) = (encoder.width, encoder.attentionWidth)
    let pixels = images * encoder.imageSize * encoder.imageSize
    let input = 3 * pixels
    // The stack as given stays; with its channels last, as patches, as tokens.
    note([input, input, input, rows * width])
    let block = [input, rows * width, rows * width, rows * width]
    note(block + [3 * rows * inner, rows * inner])
    note(block + [rows * encoder.mlpWidth])
    if let adapters = model.adapters {
      note(block + [rows * adapters.channels, rows * adapters.channels])
    }
    copies = parts.decoder
    let stages = model.decoder.kind == .multiscale ? 4 : 0
    let kept = [input] + [Int](repeating: rows * width, count: stages)
    let tokens = decoded * encoder.grid * encoder.grid
    let embedding = tokens * model.decoder.width
    note(kept + [Int](repeating: embedding, count: 8))
    let held = kept + [embedding, embedding]
    var (area, last) = (tokens, embedding)
    for channels in Self.channels(plan) {
      area *= 4
      note(held + [last, area * channels] + (stages > 0 ? [last, 2 * last, last] : []))
      last = area * channels
    }
    let logits = area / decoded * images * model.decoder.maskTokens
    note(held + [last, logits, embedding])
  }

  /// Of the image after each doubling.
  private static func channels(_ plan: Blueprint) -> [Int] {
    plan.entries.map(\.info).filter {
      $0.name.text.hasPrefix("mask_decoder.output_upscaling.") && $0.shape.count == 4
    }.map { $0.shape[1] }
  }

  /// - Parameter numbers: how many each buffer that is in use holds.
  private mutating func note(_ numbers: [Int]) {
    var counts: [Int: Int] = [:]
    for count in numbers where count > 0 {
      counts[StoragePool.bucket(count * MemoryLayout<Float>.stride), default: 0] += copies
    }
    most.merge(counts) { max($0, $1) }
  }
}
