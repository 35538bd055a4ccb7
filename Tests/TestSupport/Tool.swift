import Foundation

/// The `wt` that was built beside the tests.
public enum Tool {
  public struct Outcome: Sendable {
    public var status: Int32
    /// The signal that ended it, or zero.
    public var signal: Int32
    public var peakResidentBytes: Int
    public var seconds: Double
    /// What it computed, however busy the machine is with other tests.
    public var processorSeconds: Double
    public var output: String
    public var errors: String
  }

  /// Test bundle, tool and helpers lie in the same folder.
  private static let folder = URL(fileURLWithPath: CommandLine.arguments[0])
    .resolvingSymlinksInPath().deletingLastPathComponent()

  public static var path: String { folder.appendingPathComponent("wt").path }

  /// Runs `wt` with an address space of at most `limit` bytes.
  public static func run(
    _ arguments: [String], in directory: TemporaryDirectory, limit: Int = 1 << 30,
    environment: [String: String] = [:]
  ) throws -> Outcome {
    let name = UUID().uuidString
    let paths = ["out", "err", "report"].map { directory.path + "/.\(name).\($0)" }
    defer { paths.forEach { try? FileManager.default.removeItem(atPath: $0) } }
    for path in paths { try Data().write(to: URL(fileURLWithPath: path)) }
    let process = Process()
    process.executableURL = folder.appendingPathComponent("measure")
    process.arguments =
      [paths[2], "\(limit)", path] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: paths[0]))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: paths[1]))
    try process.run()
    process.waitUntilExit()
    let texts = try paths.map { try String(contentsOfFile: $0, encoding: .utf8) }
    let report = texts[2].split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    guard report.count == 5 else { throw CocoaError(.executableLoad) }
    return Outcome(
      status: Int32(report[0]), signal: Int32(report[1]), peakResidentBytes: report[2] << 10,
      seconds: Double(report[3]) / 1000, processorSeconds: Double(report[4]) / 1000,
      output: texts[0], errors: texts[1])
  }
}
