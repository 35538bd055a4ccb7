import Formats
import Testing

@testable import Surgery

/// SAM and MA-SAM in their published sizes, of which only names and shapes exist.
struct PublishedModel {
  var width: Int
  var depth: Int
  var heads: Int
  var global: [Int]

  static let base = PublishedModel(width: 768, depth: 12, heads: 12, global: [2, 5, 8, 11])
  static let huge = PublishedModel(width: 1280, depth: 32, heads: 16, global: [7, 15, 23, 31])

  /// The numbers that the manifests leave open.
  private var symbols: [String: Int] {
    [
      "d": width, "a": width, "h": width / heads, "m": 4 * width, "L": depth, "g": 64, "p": 16,
      "c": 256, "f": 128, "J": 4, "u": 4, "v": 16, "y": 64, "z": 32, "T": 4, "q": 256, "x": 128,
      "n": 2048, "D": 2,
    ]
  }

  func sam() throws -> Blueprint {
    let manifest = try #require(try ManifestLibrary.families().first { $0.family == "sam" })
    var plan = Blueprint()
    for tensor in manifest.tensors where !tensor.isOptional {
      let index = tensor.name.symbols.first
      let count = index.flatMap { manifest.counts[$0] }.flatMap { symbols[$0] } ?? 1
      for value in 0..<count {
        let name = tensor.name.name(index.map { [$0: value] } ?? [:])
        let isGlobal = global.contains(value)
        let shape = try tensor.shape.map { extent in
          extent == .any ? (isGlobal ? 127 : 27) : try #require(Int(extent.described(symbols)))
        }
        plan.entries.append(
          .init(
            info: try TensorInfo(name: name, dtype: .float32, shape: shape),
            origin: .initialised(.zero)))
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
}
