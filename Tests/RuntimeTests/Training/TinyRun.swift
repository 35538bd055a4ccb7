import Formats
import Foundation
import Numerics
import Support
import TestSupport
import Testing

@testable import Training

/// A run whose steps are cheap: what is saved at each is a function of the step.
struct TinyRun {
  let path: String
  var fileSystem: any FileSystem = POSIXFileSystem()
  var identity = RunIdentity(TrainingConfiguration())
  static let keep = 3

  func open() throws -> RunDirectory {
    try RunDirectory(path, identity: identity, version: "1", fileSystem: fileSystem)
  }

  static func content(_ step: Int, best: TrainingState.Best? = nil) -> CheckpointContent {
    CheckpointContent(
      delta: DeltaContent(
        tensors: [
          ("a.weight", tensor(3, 4, seed: UInt64(step))), ("b", tensor(5, seed: UInt64(2 * step))),
        ], metadata: CheckpointMetadata([.init(key: "wt.slices", value: "5")])),
      optimiser: [
        OptimiserEntry(name: "exp_avg.b", contents: .tensor(tensor(5, seed: 9))),
        OptimiserEntry(name: "step.b", contents: .count(step)),
      ],
      state: TrainingState(step: step, seed: 1234, epoch: step / 3, position: step % 3, best: best))
  }

  static func entry(_ step: Int) -> TrainingLog.Entry {
    TrainingLog.Entry(
      step: step, loss: 1 / Double(step + 1), entropy: 0.1, dice: .nan, rate: 8e-4,
      gradientNorm: 2, seconds: 0.5)
  }

  /// Takes the steps that are left up to `end`, with a checkpoint every two.
  func run(to end: Int) throws {
    let run = try open()
    for step in (run.newest?.state.step ?? 0)..<max(end, run.newest?.state.step ?? 0) {
      try run.log.append(Self.entry(step))
      if (step + 1) % 2 == 0 { try run.save(Self.content(step + 1), keep: Self.keep) }
    }
  }

  func checkpoint(_ step: Int) -> String { path + "/checkpoints/step-0000000\(step)" }

  func lines() throws -> [Substring] {
    try String(contentsOfFile: path + "/log.jsonl", encoding: .utf8)
      .split(separator: "\n", omittingEmptySubsequences: false)
  }

  /// Every file below the directory with its bytes.
  func contents() throws -> [String: Data] {
    let names = try FileManager.default.subpathsOfDirectory(atPath: path)
    return Dictionary(
      uniqueKeysWithValues: names.compactMap { name in
        FileManager.default.contents(atPath: path + "/" + name).map { (name, $0) }
      })
  }
}
