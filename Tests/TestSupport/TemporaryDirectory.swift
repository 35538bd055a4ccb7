import Foundation

/// A directory that is removed with its contents when the value goes away.
public final class TemporaryDirectory: Sendable {
  public let path: String

  public init() throws {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("wt-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of a file of that name, which need not exist.
  public func file(_ name: String) -> String { path + "/" + name }

  /// Writes the bytes to a file of that name and returns its path.
  ///
  /// A file that is there is written over and then cut: ext4 sends one that was first cut to nothing
  /// to the disk when it is closed, which takes longer than most tests.
  public func write(_ bytes: some Sequence<UInt8>, as name: String) throws -> String {
    let (path, data) = (file(name), Data(bytes))
    guard FileManager.default.fileExists(atPath: path) else {
      try data.write(to: URL(fileURLWithPath: path))
      return path
    }
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try handle.write(contentsOf: data)
    try handle.truncate(atOffset: UInt64(data.count))
    try handle.close()
    return path
  }

  /// Changes one byte of a file that is there, in place.
  ///
  /// To write the file anew a thousand times would take a thousand times as long.
  public func change(_ name: String, at index: Int, to byte: UInt8) throws {
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file(name)))
    try handle.seek(toOffset: UInt64(index))
    try handle.write(contentsOf: [byte])
    try handle.close()
  }

  /// Cuts a file that is there to so many bytes.
  public func cut(_ name: String, to count: Int) throws {
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file(name)))
    try handle.truncate(atOffset: UInt64(count))
    try handle.close()
  }

  /// The names of all entries, sorted.
  public func entries() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }
}
