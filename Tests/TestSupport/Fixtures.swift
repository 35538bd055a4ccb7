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

  /// For every checkpoint its tensors by name.
  public static func expected() throws -> [String: [String: Tensor]] {
    try recorded("expected.json").merging(recorded("expected-hdf5.json")) { first, _ in first }
  }

  private static func recorded(_ name: String) throws -> [String: [String: Tensor]] {
    let data = try Data(contentsOf: URL(fileURLWithPath: path(name)))
    return try JSONDecoder().decode([String: [String: Tensor]].self, from: data)
  }
}
