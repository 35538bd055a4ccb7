import Formats
import Testing

@testable import Surgery

/// SAM and MA-SAM in their published sizes, of which only names and shapes exist, or in small ones.
struct PublishedModel {
  var width: Int
  var depth: Int
  var heads: Int
  var global: [Int]
  var grid = 64
  var window = 14
  /// The width of prompts and decoder.
  var prompt = 256
  var decoderMLP = 2048

  static let base = PublishedModel(width: 768, depth: 12, heads: 12, global: [2, 5, 8, 11])
  static let huge = PublishedModel(width: 1280, depth: 32, heads: 16, global: [7, 15, 23, 31])

  /// The numbers that the manifests leave open.
  private var symbols: [String: Int] {
    [
      "d": width, "a": width, "h": width / heads, "m": 4 * width, "L": depth, "g": grid, "p": 16,
      "c": prompt, "f": prompt / 2, "J": 4, "u": 4, "v": 16, "y": prompt / 4, "z": prompt / 8,
      "T": 4, "q": prompt, "x": prompt / 2, "n": decoderMLP, "D": 2,
    ]
  }

  /// - Parameter initial: what a tensor begins as.
  func sam(initial: (TensorInfo) -> Initialisation = { _ in .zero }) throws -> Blueprint {
    let manifest = try #require(try ManifestLibrary.families().first { $0.family == "sam" })
    var plan = Blueprint()
    for tensor in manifest.tensors where !tensor.isOptional {
      let index = tensor.name.symbols.first
      let count = index.flatMap { manifest.counts[$0] }.flatMap { symbols[$0] } ?? 1
      for value in 0..<count {
        let name = tensor.name.name(index.map { [$0: value] } ?? [:])
        let isGlobal = global.contains(value)
        let shape = try tensor.shape.map { extent in
          extent == .any
            ? 2 * (isGlobal ? grid : window) - 1 : try #require(Int(extent.described(symbols)))
        }
        let info = try TensorInfo(name: name, dtype: .float32, shape: shape)
        plan.entries.append(.init(info: info, origin: .initialised(initial(info))))
      }
    }
    return plan
  }

  /// As MA-SAM trains it: 512 pixels, rank 32, adapters of 384 channels on both sides, 12 classes.
  func masam(_ decoder: Architecture.DecoderKind = .progressive) throws -> Blueprint {
    try sam().applying(
      Resize(imageSize: 512), InjectFactors(kind: .tt, rank: 32, seed: 1),
      InjectAdapters(channels: 384, placement: .both, start: .zero, seed: 1),
      SwapDecoder(kind: decoder, classes: 12, seed: 1), SetSlices(count: 5))
  }

  /// Norms that change nothing, layers about as PyTorch starts them, and small embeddings.
  static func random(_ info: TensorInfo) -> Initialisation {
    let (name, inputs) = (info.name.text, info.shape.dropFirst().reduce(1, *))
    let isNorm = ["norm", "neck.1", "neck.3", "downscaling.1", "downscaling.4", "upscaling.1"]
      .contains { name.contains($0) }
    if isNorm { return name.hasSuffix("weight") ? .one : .zero }
    if name.contains("gaussian") { return .normal(seed: 1, info.name) }
    let isSmall = info.shape.count == 1 || name.contains("embed") || name.contains("token")
    return .fanIn(isSmall ? 36 : inputs, seed: 1, info.name)
  }
}
