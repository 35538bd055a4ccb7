import Formats

/// The sizes of a SAM, from which the plan of one follows though no file holds it.
public struct SAMForm: Sendable {
  public var width: Int
  public var depth: Int
  public var heads: Int
  public var globalBlocks: [Int]
  /// Tokens a side.
  public var grid = 64
  public var window = 14
  /// Of prompts and decoder.
  public var promptWidth = 256
  public var decoderMLPWidth = 2048

  /// Source: `build_sam.py` of segment-anything.
  public static let vitB = SAMForm(width: 768, depth: 12, heads: 12, globalBlocks: [2, 5, 8, 11])
  public static let vitH = SAMForm(
    width: 1280, depth: 32, heads: 16, globalBlocks: [7, 15, 23, 31])

  /// Runs in seconds, and learns what is simple in a minute: 64 pixels a side.
  public static let small = SAMForm(
    width: 96, depth: 4, heads: 4, globalBlocks: [1, 3], grid: 4, window: 3, promptWidth: 64,
    decoderMLPWidth: 128)

  /// The numbers that the manifest leaves open.
  private var symbols: [String: Int] {
    let prompt = promptWidth
    return [
      "d": width, "a": width, "h": width / heads, "m": 4 * width, "L": depth, "g": grid, "p": 16,
      "c": prompt, "f": prompt / 2, "J": 4, "u": 4, "v": 16, "y": prompt / 4, "z": prompt / 8,
      "T": 4, "q": prompt, "x": prompt / 2, "n": decoderMLPWidth, "D": 2,
    ]
  }

  /// A SAM of that form with random weights.
  ///
  /// Norms change nothing, layers are about as PyTorch starts them, embeddings are small.
  ///
  /// - Throws: `SurgeryError` if the family's manifest cannot be read.
  public func random(seed: UInt64, toolVersion: String) throws -> Blueprint {
    var plan = try blueprint { Self.start(of: $0, seed: seed) }
    var metadata = ModelMetadata(plan.metadata)
    metadata[.version] = toolVersion
    metadata[.family] = "sam"
    metadata[.globalBlocks] = globalBlocks.map(String.init).joined(separator: ",")
    plan.metadata = metadata.entries
    return plan
  }

  /// As MA-SAM trains it: 512 pixels, rank 32, adapters of 384 channels on both sides, 12 classes; all
  /// of SAM's own weights zero.
  ///
  /// - Throws: `SurgeryError` if the family's manifest cannot be read.
  public func masam(_ decoder: Architecture.DecoderKind = .progressive) throws -> Blueprint {
    try blueprint().applying(
      Resize(imageSize: 512), InjectFactors(kind: .tt, rank: 32, seed: 1),
      InjectAdapters(channels: 384, placement: .both, start: .zero, seed: 1),
      SwapDecoder(kind: decoder, classes: 12, seed: 1), SetSlices(count: 5))
  }

  /// - Parameter initial: what a tensor begins as.
  func blueprint(
    initial: (TensorInfo) -> Initialisation = { _ in .zero }
  ) throws -> Blueprint {
    guard let manifest = try ManifestLibrary.families().first(where: { $0.family == "sam" }) else {
      preconditionFailure("SAM's manifest is part of the program")
    }
    var plan = Blueprint()
    for tensor in manifest.tensors where !tensor.isOptional {
      let index = tensor.name.symbols.first
      let count = index.flatMap { manifest.counts[$0] }.flatMap { symbols[$0] } ?? 1
      for value in 0..<count {
        let name = tensor.name.name(index.map { [$0: value] } ?? [:])
        let shape = tensor.shape.map { self.extent($0, block: value) }
        let info = try TensorInfo(name: name, dtype: .float32, shape: shape)
        plan.entries.append(.init(info: info, origin: .initialised(initial(info))))
      }
    }
    return plan
  }

  /// The manifest leaves only the lengths of relative positions to the block.
  private func extent(_ extent: Extent, block: Int) -> Int {
    if extent == .any { return 2 * (globalBlocks.contains(block) ? grid : window) - 1 }
    guard let number = Int(extent.described(symbols)) else {
      preconditionFailure("an extent of SAM's manifest that its form does not know")
    }
    return number
  }

  private static func start(of info: TensorInfo, seed: UInt64) -> Initialisation {
    let (name, inputs) = (info.name.text, info.shape.dropFirst().reduce(1, *))
    let isNorm = ["norm", "neck.1", "neck.3", "downscaling.1", "downscaling.4", "upscaling.1"]
      .contains { name.contains($0) }
    if isNorm { return name.hasSuffix("weight") ? .one : .zero }
    if name.contains("gaussian") { return .normal(seed: seed, info.name) }
    let isSmall = info.shape.count == 1 || name.contains("embed") || name.contains("token")
    return .fanIn(isSmall ? 36 : inputs, seed: seed, info.name)
  }
}
