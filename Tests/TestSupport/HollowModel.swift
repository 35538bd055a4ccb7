import Foundation

/// A model whose file is a header that claims any extents, and behind it a hole.
public enum HollowModel {
  /// Writes the runtime's tiny MA-SAM, as its header has it, with another grid.
  ///
  /// - Parameter grid: tokens a side.
  public static func write(grid: Int, to path: String) throws {
    let model = try Data(
      contentsOf: URL(fileURLWithPath: Fixtures.path("runtime/masam-tt.model.safetensors")))
    let length = model.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let parsed = try JSONSerialization.jsonObject(with: model.dropFirst(8).prefix(length))
    guard var header = parsed as? [String: [String: Any]] else {
      throw CocoaError(.fileReadCorruptFile)
    }
    var end = 0
    for name in header.keys.sorted() where name != "__metadata__" {
      guard let shape = header[name]?["shape"] as? [Int] else { continue }
      let claimed = Self.shape(name, shape, grid)
      let start = end
      end += 4 * claimed.reduce(1, *)
      header[name]?["shape"] = claimed
      header[name]?["data_offsets"] = [start, end]
    }
    var text = try JSONSerialization.data(withJSONObject: header)
    text.append(contentsOf: [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8))
    let size = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Data($0) }
    try (size + text).write(to: URL(fileURLWithPath: path))
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    try file.truncate(atOffset: UInt64(8 + text.count + end))
    try file.close()
  }

  /// Positions of the grid, and distances in blocks that attend everywhere.
  private static func shape(_ name: String, _ shape: [Int], _ grid: Int) -> [Int] {
    if name == "image_encoder.pos_embed" { return [1, grid, grid, shape[3]] }
    let isGlobal = name.contains(".rel_pos_") && shape[0] == 7
    return isGlobal ? [2 * grid - 1, shape[1]] : shape
  }
}
