import Foundation

/// The recorded checkpoints and what they hold.
public enum Fixtures {
  public struct Tensor: Decodable, Sendable {
    public var dtype: String
    public var shape: [Int]
    public var sha256: String
  }

  public static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures").path

  public static func path(_ name: String) -> String { folder + "/" + name }

  /// For every checkpoint its tensors by name, from every list that a script recorded.
  public static func expected() throws -> [String: [String: Tensor]] {
    let lists = try FileManager.default.contentsOfDirectory(atPath: folder)
      .filter { $0.hasPrefix("expected") && $0.hasSuffix(".json") }
    return try lists.sorted().reduce(into: [:]) { all, name in
      let data = try Data(contentsOf: URL(fileURLWithPath: path(name)))
      let part = try JSONDecoder().decode([String: [String: Tensor]].self, from: data)
      all.merge(part) { first, _ in first }
    }
  }
}
