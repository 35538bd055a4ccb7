import Formats
import Support

/// A set of tensors of random names, types, shapes and bit patterns.
public struct RandomTensors: Sendable {
  public var tensors: [TensorInfo] = []
  public var bytes: [[UInt8]] = []
  public var metadata = CheckpointMetadata()

  private static let words = ["blocks", "norm1", "é", "e\u{301}", "weight", "a b", "q\"x", "日本"]

  /// - Parameter dtypes: the types to choose from.
  public init(seed: UInt64, dtypes: [DType]) throws {
    var random = SeededGenerator(seed: seed)
    for index in 0..<Int.random(in: 0...9, using: &random) {
      let name = try Self.name(index, &random)
      let dtype = dtypes.randomElement(using: &random) ?? .float32
      let info = try TensorInfo(
        name: TensorName(name), dtype: dtype, shape: Self.shape(&random))
      tensors.append(info)
      bytes.append(Self.content(info, &random))
    }
    if Bool.random(using: &random) { metadata["note"] = "seed \(seed) é\n\"" }
  }

  private static func name(_ index: Int, _ random: inout SeededGenerator) throws -> String {
    let count = Int.random(in: 1...3, using: &random)
    let parts = (0..<count).map { _ in words.randomElement(using: &random) ?? "w" }
    return parts.joined(separator: ".") + ".\(index)"
  }

  /// Rank 0 to 8, with an empty extent now and then.
  private static func shape(_ random: inout SeededGenerator) -> [Int] {
    let rank = Int.random(in: 0...8, using: &random)
    return (0..<rank).map { _ in
      Int.random(in: 0..<20, using: &random) == 0 ? 0 : Int.random(in: 1...3, using: &random)
    }
  }

  /// Random bits, so NaNs with payloads, infinities and negative zeros among them.
  private static func content(_ info: TensorInfo, _ random: inout SeededGenerator) -> [UInt8] {
    (0..<info.byteCount).map { _ in
      let byte = UInt8.random(in: 0...255, using: &random)
      return info.dtype == .bool ? byte & 1 : byte
    }
  }

  /// Hands out one tensor's bytes.
  public func reader(of index: Int) -> any TensorReader { ArrayReader(bytes[index]) }
}

/// Hands out bytes in memory, as a source of tensors in tests.
public final class ArrayReader: TensorReader {
  private var rest: ArraySlice<UInt8>

  public init(_ bytes: [UInt8]) { rest = bytes[...] }

  public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let part = rest.prefix(buffer.count)
    buffer.copyBytes(from: part)
    rest = rest.dropFirst(part.count)
    return part.count
  }
}
