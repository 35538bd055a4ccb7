import Formats
import Numerics
import Support
import Surgery

/// The refusal of extents that only a forged file has, before anything takes memory or time by them.
///
/// A header of a few kilobytes in front of a hole may claim any weights, grid and number of masks.
public enum ModelExtents {
  /// Masks are told apart by 16 bits where losses are calculated.
  private static let mostMasks = Int(Int16.max)

  /// - Parameters:
  ///   - plan: under canonical names.
  ///   - path: its file, as errors name it.
  ///   - memory: bytes there are; small machines must not refuse what others of their kind can run.
  /// - Throws: `RuntimeError` with code `unsupportedModel` when weights and the encodings of the grid's places
  ///   do not fit into memory, or for more masks than labels can tell apart.
  public static func check(
    _ plan: Blueprint, _ model: Architecture, path: String?,
    memory: Int = max(physicalMemory, 1 << 33)
  ) throws {
    let grid = Double(model.encoder?.grid ?? 0)
    let numbers = parameterCount(plan) + grid * grid * Double(model.decoder.width)
    guard 4 * numbers <= Double(memory) else {
      throw RuntimeError(
        .unsupportedModel, file: path,
        expected: "weights and places that fit into \(memory) bytes of memory",
        found: "\(Int(min(numbers, 1e18))) numbers", remedy: "see its shapes with wt inspect")
    }
    guard model.decoder.maskTokens <= mostMasks else {
      throw RuntimeError(
        .unsupportedModel, file: path, expected: "at most \(mostMasks) mask tokens",
        found: "\(model.decoder.maskTokens)", remedy: "see its shapes with wt inspect")
    }
  }

  /// Of all tensors; as a floating-point number, as the sum may be beyond all counting.
  public static func parameterCount(_ plan: Blueprint) -> Double {
    plan.entries.reduce(0) { $0 + Double($1.info.elementCount) }
  }
}
