import Formats
import Foundation
import Support
import TestSupport
import Testing

/// Runs of a tiny model on fixed batches, stopped in every way.
@Suite("Training by command")
struct TrainCommandTests {
  private let directory: TemporaryDirectory
  private let model: String

  init() throws {
    directory = try TemporaryDirectory()
    model = directory.file("model.safetensors")
    // One slice takes less time than the three that the recorded model is for.
    let recipe = try directory.write(
      "operations: [set-slices: {count: 1}]\n".utf8, as: "recipe.yaml")
    let made = try Tool.run(
      [
        "surgery", recipe, "--base",
        Fixtures.path("runtime/masam-some-blocks.model.safetensors"), "-o", model, "--quiet",
      ], in: directory)
    try #require(made.status == 0, "\(made.errors)")
  }

  private let batches = Fixtures.path("training/masam-some-blocks.batches.safetensors")
  private func arguments(_ run: String, steps: Int, _ more: [String]) -> [String] {
    [
      "train", model, "--batches", batches, "-o", directory.file(run), "--steps", "\(steps)",
      "--warmup", "3", "--lr", "2e-3", "--checkpoint-every", "1", "--quiet",
    ] + more
  }

  private func train(_ run: String, steps: Int = 6, _ more: String...) throws -> Tool.Outcome {
    try Tool.run(arguments(run, steps: steps, more), in: directory, limit: 4 << 30)
  }

  /// The log without times, and the digests of a checkpoint's files.
  private func traces(_ run: String, step: Int) throws -> [String] {
    let path = directory.file(run)
    let log = try String(contentsOfFile: path + "/log.jsonl", encoding: .utf8)
    let timeless = log.split(separator: "\n").map {
      String($0).replacing(/, "seconds": [^,}]*/, with: "")
    }
    let digits = "\(step)"
    let name = "step-" + String(repeating: "0", count: 8 - digits.count) + digits
    let files = try ["delta.safetensors", "optimizer.safetensors", "manifest.json"].map { file in
      var hash = ContentHash()
      let data = try Data(contentsOf: URL(fileURLWithPath: "\(path)/checkpoints/\(name)/\(file)"))
      data.withUnsafeBytes { hash.update($0) }
      return "\(file) \(hash.hexDigest())"
    }
    return timeless + files
  }

  @Test func `one seed gives one training, whatever the threads`() throws {
    #expect(try train("a", "--threads", "1").status == 0)
    #expect(try train("b", "--threads", "2").status == 0)
    #expect(try train("c", "--threads", "2", "--seed", "7").status == 0)
    let first = try traces("a", step: 6)
    #expect(try first == traces("b", step: 6))
    #expect(try first != traces("c", step: 6))
  }

  @Test func `a run goes on where it was, stays when it is done, and is of one configuration`()
    throws
  {
    #expect(try train("a").status == 0)
    let before = try traces("a", step: 6)
    let again = try train("a")
    #expect(again.status == 0 && again.output.contains("nothing left to do"))
    #expect(try traces("a", step: 6) == before)
    let other = try train("a", "--weight-decay", "0.2")
    #expect(other.status == 65 && other.errors.contains("weight-decay"), "\(other.errors)")
    #expect(try train("b", "--lr", "0").status == 64)
    #expect(try train("b", "--lr", "nonsense").status == 64)
    #expect(try train("b", "--config", "masam-nowhere").status == 64)
  }

  @Test func `a run is of one model, its metadata included`() throws {
    #expect(try train("a").status == 0)
    let other = directory.file("other.safetensors")
    let file = try openCheckpoint(model)
    var metadata = file.metadata
    metadata["wt.fact_scale"] = "0.25"
    let writer = CheckpointWriter(
      file.tensors, metadata: metadata, from: { try file.reader(of: $0) })
    _ = try writer.write(to: other, overwrite: false)
    let arguments = arguments("a", steps: 6, []).map { $0 == model ? other : $0 }
    let outcome = try Tool.run(arguments, in: directory, limit: 4 << 30)
    #expect(outcome.status == 65 && outcome.errors.contains("factor-scale"), "\(outcome.errors)")
  }

  @Test func `bfloat16 trains like float, and goes on as exactly`() throws {
    #expect(try train("float").status == 0)
    #expect(try train("a", "--precision", "bf16", "--threads", "1").status == 0)
    #expect(try train("b", "--precision", "bf16", "--threads", "2").status == 0)
    try FileManager.default.removeItem(
      atPath: directory.file("b") + "/checkpoints/step-00000006")
    #expect(try train("b", "--precision", "bf16", "--threads", "2").status == 0)
    #expect(try traces("a", step: 6) == traces("b", step: 6))
    // bfloat16 has 8 bits: rounding inputs moves losses by less than 2e-2, and not by nothing.
    for (float, half) in zip(try losses("float"), try losses("a")) {
      #expect(float != half && abs(float - half) <= 2e-2 * float)
    }
  }

  private func losses(_ run: String) throws -> [Double] {
    let log = try String(contentsOfFile: directory.file(run) + "/log.jsonl", encoding: .utf8)
    return log.matches(of: /"loss": ([0-9.e-]+)/).compactMap { Double($0.1) }
  }

  @Test(arguments: ["delta.safetensors", "optimizer.safetensors", "manifest.json", "state.json"])
  func `a damaged newest checkpoint costs one interval`(_ file: String) throws {
    #expect(try train("straight").status == 0)
    #expect(try train("a").status == 0)
    let path = directory.file("a") + "/checkpoints/step-00000006/" + file
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(fileURLWithPath: path))
    let mended = try Tool.run(
      arguments("a", steps: 6, []).filter { $0 != "--quiet" }, in: directory, limit: 4 << 30)
    #expect(mended.status == 0 && mended.errors.contains(file), "\(mended.errors)")
    #expect(try traces("a", step: 6) == traces("straight", step: 6))
  }

  /// As many kills as `WT_SOAK_KILLS` says, or 25, at times that depend on their number alone.
  @Test func `a run that is killed again and again equals one that is not`() throws {
    let kills = Int(ProcessInfo.processInfo.environment["WT_SOAK_KILLS"] ?? "") ?? 25
    let steps = 40
    #expect(try train("straight", steps: steps).status == 0)
    var done = 0
    for kill in 0..<kills {
      let delay = RandomStream(seed: 5, name: "kills", sample: UInt32(kill)).uniform(block: 0)[0]
      try kill9(arguments("a", steps: steps, []), after: 0.05 + 0.6 * delay)
      let found = try newest("a")
      #expect(found >= done - 1, "a kill lost more than an interval")
      done = found
      if done == steps {
        // Finished before it could be killed: begin anew.
        try FileManager.default.removeItem(atPath: directory.file("a"))
        done = 0
      }
    }
    #expect(try train("a", steps: steps).status == 0)
    #expect(try traces("a", step: steps) == traces("straight", step: steps))
  }

  /// Every one of the steps where `WT_SOAK_KILLS` asks for a long test, else every eighth.
  @Test func `a run killed at a step equals one that is not`() throws {
    let isLong = ProcessInfo.processInfo.environment["WT_SOAK_KILLS"] != nil
    let steps = 40
    #expect(try train("straight", steps: steps).status == 0)
    for step in stride(from: isLong ? 1 : 8, to: steps, by: isLong ? 1 : 8) {
      let run = "killed\(step)"
      let process = try start(arguments(run, steps: steps, []))
      while try newest(run) < step, process.isRunning { Thread.sleep(forTimeInterval: 0.001) }
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      #expect(try train(run, steps: steps).status == 0)
      #expect(try traces(run, step: steps) == traces("straight", step: steps), "step \(step)")
      try FileManager.default.removeItem(atPath: directory.file(run))
    }
  }

  /// The disk is a file system in memory that is too small; only root can make one.
  @Test(.enabled(if: geteuid() == 0)) func `a full disk keeps the checkpoint before`() throws {
    let disk = directory.file("disk")
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
    guard try mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", disk) else { return }
    defer { _ = try? umount(disk) }
    #expect(try train("straight", steps: 6).status == 0)
    let full = try train("disk/run", steps: 6)
    #expect(full.status == 74 && full.errors.contains("disk/run"), "\(full.errors)")
    let done = try newest("disk/run")
    #expect((1..<6).contains(done))
    #expect(try mount("-o", "remount,size=64m", disk))
    #expect(try train("disk/run", steps: 6).status == 0)
    #expect(try traces("disk/run", step: 6) == traces("straight", step: 6))
  }

  /// What a link leads to is not the run's: pruning and cleaning up take the link alone.
  @Test(arguments: [".incomplete-moved", "step-00000001"])
  func `a link among the checkpoints is never followed`(_ name: String) throws {
    #expect(try train("straight").status == 0)
    #expect(try train("a", steps: 6, "--keep", "2").status == 0)
    let (checkpoints, elsewhere) = (directory.file("a") + "/checkpoints", directory.file("else"))
    try FileManager.default.createDirectory(
      atPath: elsewhere, withIntermediateDirectories: false)
    try Data("precious".utf8).write(to: URL(fileURLWithPath: elsewhere + "/x"))
    try FileManager.default.removeItem(atPath: checkpoints + "/step-00000006")
    try FileManager.default.createSymbolicLink(
      atPath: "\(checkpoints)/\(name)", withDestinationPath: elsewhere)
    let outcome = try train("a", steps: 6, "--keep", "2")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try String(contentsOfFile: elsewhere + "/x", encoding: .utf8) == "precious")
    let left = try FileManager.default.contentsOfDirectory(atPath: checkpoints)
    #expect(!left.contains(name) && !left.contains { $0.hasPrefix(".incomplete") }, "\(left)")
    let (found, expected) = (try traces("a", step: 6), try traces("straight", step: 6))
    // The state of a run that keeps fewer checkpoints is the same but for what it keeps.
    #expect(
      found.filter { !$0.hasPrefix("manifest") } == expected.filter { !$0.hasPrefix("manifest") })
  }

  @Test func `an event file that is a link is refused`() throws {
    #expect(try train("a").status == 0)
    let (events, victim) = (directory.file("a") + "/events.out.tfevents.wt", directory.file("x"))
    try Data("precious".utf8).write(to: URL(fileURLWithPath: victim))
    for path in [events, directory.file("a") + "/checkpoints/step-00000006"] {
      try FileManager.default.removeItem(atPath: path)
    }
    try FileManager.default.createSymbolicLink(atPath: events, withDestinationPath: victim)
    let outcome = try train("a")
    #expect(outcome.status == 73 && outcome.errors.contains(events), "\(outcome.errors)")
    #expect(try String(contentsOfFile: victim, encoding: .utf8) == "precious")
  }

  @Test func `a limit on the size of files is an error, not a signal`() throws {
    let limited = ["-c", "ulimit -f 100; exec \"$0\" \"$@\"", Tool.path]
    let process = Tool.process(limited + arguments("a", steps: 2, []), program: "/bin/sh")
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 74)
    let path = directory.file("a") + "/checkpoints"
    #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
  }

  private func mount(_ arguments: String...) throws -> Bool {
    try finishes("/usr/bin/mount", arguments)
  }

  private func umount(_ path: String) throws -> Bool { try finishes("/usr/bin/umount", [path]) }

  private func finishes(_ program: String, _ arguments: [String]) throws -> Bool {
    let process = Tool.process(arguments, program: program)
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  @Test func `a signal ends the step, and a run that goes on equals one without`() throws {
    #expect(try train("straight", steps: 200).status == 0)
    for (signal, status) in [(SIGINT, Int32(130)), (SIGTERM, 143)] {
      let process = try start(arguments("a", steps: 200, []))
      Thread.sleep(forTimeInterval: 0.7)
      kill(process.processIdentifier, signal)
      process.waitUntilExit()
      #expect(process.terminationReason == .exit && process.terminationStatus == status)
    }
    #expect(try train("a", steps: 200).status == 0)
    #expect(try traces("a", step: 200) == traces("straight", step: 200))
  }

  @Test func `a second trainer is turned away`() throws {
    let process = try start(arguments("a", steps: 100_000, []))
    defer {
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
    }
    while !FileManager.default.fileExists(atPath: directory.file("a") + "/log.jsonl") {
      Thread.sleep(forTimeInterval: 0.02)
    }
    let second = try train("a", steps: 100_000)
    #expect(second.status == 73 && second.errors.contains("another process"), "\(second.errors)")
  }

  private func start(_ arguments: [String]) throws -> Process {
    let process = Tool.process(arguments)
    try process.run()
    return process
  }

  private func kill9(_ arguments: [String], after seconds: Double) throws {
    let process = try start(arguments)
    Thread.sleep(forTimeInterval: seconds)
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// Steps of the newest checkpoint, zero without any.
  private func newest(_ run: String) throws -> Int {
    let path = directory.file(run) + "/checkpoints"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return names.compactMap { $0.hasPrefix("step-") ? Int($0.dropFirst(5)) : nil }.max() ?? 0
  }
}
