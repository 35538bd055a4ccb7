import Formats
import Support

/// What shapes cannot tell, as a model carries it under `wt.` keys.
public struct ModelMetadata: Sendable {
  public enum Key: String, Sendable, CaseIterable {
    case version = "wt.version"
    case family = "wt.family"
    case factorScale = "wt.fact_scale"
    case factorBlocks = "wt.fact_blocks"
    case imageSize = "wt.image_size"
    case slices = "wt.slices"
    case classNames = "wt.class_names"
    case globalBlocks = "wt.global_blocks"
    /// What has been merged into the weights, and with which scale.
    case merged = "wt.merged"
    case mergedScale = "wt.merged_scale"
    /// The content hash of the factors that were merged.
    case mergedFactors = "wt.merged_factors"
    /// The content hash of the base.
    case base = "wt.base"
    case recipe = "wt.recipe"
    /// How intensities and orientation of a scan become what the model was trained on.
    case profile = "wt.profile"
  }

  public var entries: CheckpointMetadata

  public init(_ entries: CheckpointMetadata = CheckpointMetadata()) { self.entries = entries }

  public subscript(_ key: Key) -> String? {
    get { entries[key.rawValue] }
    set { entries[key.rawValue] = newValue }
  }

  public var factorScale: Double? { get throws { try number(.factorScale) } }
  public var mergedScale: Double? { get throws { try number(.mergedScale) } }
  public var imageSize: Int? { get throws { try count(.imageSize) } }
  public var slices: Int? { get throws { try count(.slices, upTo: Self.slicesRange.upperBound) } }
  public var factorBlocks: [Int]? { get throws { try list(.factorBlocks) } }
  public var globalBlocks: [Int]? { get throws { try list(.globalBlocks) } }
  public var merged: String? { self[.merged] }
  public var base: String? { self[.base] }

  public var classNames: [String]? {
    get throws {
      guard let text = self[.classNames] else { return nil }
      return try ClassNames.decode(text)
    }
  }

  private func number(_ key: Key) throws -> Double? {
    guard let text = self[key] else { return nil }
    guard let number = Double(text), number.isFinite else {
      throw bad(key, "a finite number", text)
    }
    return number
  }

  /// How many slices a model may see at once: the memory that it takes grows with them.
  static let slicesRange = 1...1024

  private func count(_ key: Key, upTo limit: Int = 1 << 20) throws -> Int? {
    guard let text = self[key] else { return nil }
    guard let number = Int(text), (1...limit).contains(number) else {
      throw bad(key, "a whole number from 1 to \(limit)", text)
    }
    return number
  }

  private func list(_ key: Key) throws -> [Int]? {
    guard let text = self[key] else { return nil }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Int($0) }
    guard text.isEmpty || numbers.count == parts.count,
      zip(numbers, numbers.dropFirst()).allSatisfy(<), numbers.allSatisfy({ $0 >= 0 })
    else { throw bad(key, "rising numbers with commas between", text) }
    return numbers
  }

  private func bad(_ key: Key, _ expected: String, _ found: String) -> SurgeryError {
    SurgeryError(
      .badMetadata, subject: key.rawValue, expected: expected,
      found: found.escapedForDisplay.shortened())
  }
}

/// Class names as metadata holds them: one a line.
enum ClassNames {
  static func encode(_ names: [String]) -> String { names.joined(separator: "\n") }

  static func decode(_ text: String) throws -> [String] {
    let names = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    try check(names)
    return names
  }

  /// Names must be there, differ, and fit a line.
  ///
  /// - Throws: `SurgeryError` with code `badMetadata`.
  static func check(_ names: [String]) throws {
    var seen: Set<TensorName> = []
    for name in names {
      guard !name.isEmpty, !name.utf8.contains(10), seen.insert(TensorName(name)).inserted else {
        throw SurgeryError(
          .badMetadata, subject: ModelMetadata.Key.classNames.rawValue,
          expected: "different names of one line each", found: "'\(name.escapedForDisplay)'")
      }
    }
  }
}
