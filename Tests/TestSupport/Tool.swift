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

  /// A program not started yet, `wt` unless another is named, that reads nothing and says nothing.
  ///
  /// It keeps no counts of covered lines: one that a signal ends while it writes them leaves a file
  /// that no report on coverage can be made with.
  public static func process(
    _ arguments: [String], program: String = path, environment: [String: String] = [:]
  ) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment
      .merging(environment) { $1 }.merging(["LLVM_PROFILE_FILE": "/dev/null"]) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    return process
  }

  /// Runs `wt` with an address space of at most `limit` bytes.
  public static func run(
    _ arguments: [String], in directory: TemporaryDirectory, limit: Int = 1 << 30,
    environment: [String: String] = [:]
  ) throws -> Outcome {
    let name = UUID().uuidString
    let paths = ["out", "err", "report"].map { directory.path + "/.\(name).\($0)" }
    defer { paths.forEach { try? FileManager.default.removeItem(atPath: $0) } }
    for path in paths { try Data().write(to: URL(fileURLWithPath: path)) }
    let process = process(
      [paths[2], "\(limit)", path] + arguments,
      program: folder.appendingPathComponent("measure").path, environment: environment)
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
