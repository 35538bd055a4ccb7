import Formats
import Foundation
import Numerics
import TestSupport
import Testing

@testable import Training

struct RunDirectoryTests {
  private let directory: TemporaryDirectory
  private let run: TinyRun

  init() throws {
    directory = try TemporaryDirectory()
    run = TinyRun(path: directory.file("run"))
  }

  @Test func `what is saved is found again`() throws {
    try run.run(to: 5)
    let opened = try run.open()
    let newest = try #require(opened.newest)
    #expect(newest.state == TinyRun.content(4).state)
    #expect(opened.warnings.isEmpty)
    let delta = try newest.delta()
    #expect(delta.metadata["wt.slices"] == "5")
    for (name, expected) in TinyRun.content(4).delta.tensors {
      let place = try #require(delta.index(of: TensorName(name)))
      #expect(try Tensor(reading: delta, place).values == expected.values)
    }
    #expect(try newest.optimiser().tensors.map(\.name.text).sorted() == ["exp_avg.b", "step.b"])
  }

  @Test func `a state keeps every bit`() throws {
    let states = [
      TrainingState(step: 0, seed: 0), TrainingState(step: 7, seed: .max, epoch: 2, position: 1),
      TrainingState(step: 9, seed: 1, best: .init(step: 4, value: 0.1 + 0.2)),
    ]
    for state in states { #expect(try TrainingState(Array(state.text.utf8)) == state) }
    for text in ["", "{}", "{\"step\": -1}", "{\"step\": 1, \"step\": 1}"] {
      #expect(throws: FormatError.self) { try TrainingState(Array(text.utf8)) }
    }
  }

  @Test func `a log line has the keys that are promised`() throws {
    try run.run(to: 1)
    #expect(
      try run.lines().first
        == """
        {"step": 0, "loss": 1.0, "loss_ce": 0.1, "loss_dice": null, "lr": 0.0008, \
        "grad_norm": 2.0, "seconds": 0.5}
        """)
  }

  @Test func `a run that is stopped anywhere becomes the same`() throws {
    let straight = TinyRun(path: directory.file("straight"))
    try straight.run(to: 9)
    for stop in 1...8 {
      let run = TinyRun(path: directory.file("run-\(stop)"))
      try run.run(to: stop)
      // As a process that is killed within a line leaves it.
      let log = try FileHandle(forWritingTo: URL(fileURLWithPath: run.path + "/log.jsonl"))
      try log.seekToEnd()
      try log.write(contentsOf: Data("{\"step\": \(stop), \"lo".utf8))
      try log.close()
      try run.run(to: 9)
      #expect(try run.contents() == straight.contents())
    }
  }

  @Test func `the oldest checkpoints go, the best stays`() throws {
    let opened = try run.open()
    for step in 1...7 {
      let best = step >= 2 ? TrainingState.Best(step: 2, value: 0.5) : nil
      try opened.save(TinyRun.content(step, best: best), keep: 2)
    }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: run.path + "/checkpoints").sorted()
        == ["step-00000002", "step-00000006", "step-00000007"])
  }

  enum Damage: String, CaseIterable, Sendable { case cut, flip, remove }

  static let files = ["delta.safetensors", "optimizer.safetensors", "state.json", "manifest.json"]

  private func damage(_ path: String, _ damage: Damage) throws {
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    switch damage {
    case .cut: bytes.removeLast()
    case .flip: bytes[bytes.count / 2] ^= 1
    case .remove: return try FileManager.default.removeItem(atPath: path)
    }
    try bytes.write(to: URL(fileURLWithPath: path))
  }

  @Test(arguments: files, Damage.allCases)
  func `a damaged checkpoint is passed over and named`(_ file: String, _ damage: Damage) throws {
    try run.run(to: 8)
    let good = try run.contents()
    try self.damage(run.checkpoint(8) + "/" + file, damage)
    do {
      let opened = try run.open()
      #expect(opened.newest?.state.step == 6)
      #expect(opened.warnings.count == 1)
      #expect(opened.warnings.first?.contains("step-00000008/" + file) == true)
      #expect(opened.log.count == 6)
    }
    // The damaged one is replaced when the run gets there again.
    try run.run(to: 8)
    #expect(try run.contents() == good)
    #expect(try run.open().warnings.isEmpty)
  }

  @Test func `damaged checkpoints alone are an error`() throws {
    try run.run(to: 8)
    for step in [4, 6, 8] { try damage(run.checkpoint(step) + "/state.json", .cut) }
    let error = #expect(throws: TrainingError.self) { try run.open() }
    #expect(error?.code == .noGoodCheckpoint)
    #expect(error?.category.rawValue == 65)
    #expect(error?.found?.contains("step-00000008") == true)
  }

  @Test func `later checkpoints that were damaged go when the run passes by`() throws {
    try run.run(to: 8)
    for step in [6, 8] { try damage(run.checkpoint(step) + "/manifest.json", .remove) }
    do {
      let opened = try run.open()
      #expect(opened.newest?.state.step == 4)
      #expect(opened.warnings.count == 2)
      try opened.log.append(TinyRun.entry(4))
      try opened.save(TinyRun.content(5), keep: 3)
    }
    #expect(try run.open().newest?.state.step == 5)
    #expect(try run.open().warnings.isEmpty)
  }

  @Test func `lines that the log lost are told`() throws {
    try run.run(to: 4)
    try Data("{\"step\": 0}\n{\"step\": 2}\n".utf8)
      .write(to: URL(fileURLWithPath: run.path + "/log.jsonl"))
    let kept = try run.lines()
    do {
      let opened = try run.open()
      #expect(opened.log.count == 2)
      #expect(
        opened.warnings == ["\(run.path)/log.jsonl: the lines of 2 of 4 steps are lost"])
    }
    // Whatever is missing, what is there stays, in this and in later openings.
    try run.run(to: 6)
    #expect(try run.open().log.count == 4)
    #expect(try run.lines().prefix(2) == kept.prefix(2) && run.lines().count == 5)
  }

  @Test func `a log without any checkpoint is told`() throws {
    try run.run(to: 4)
    for step in [2, 4] { try FileManager.default.removeItem(atPath: run.checkpoint(step)) }
    let opened = try run.open()
    #expect(opened.newest == nil && opened.log.count == 0 && opened.warnings.count == 1)
    #expect(opened.warnings.first?.contains("begins anew") == true)
  }

  @Test func `a second trainer is refused while the first lives`() throws {
    let first = try run.open()
    let error = #expect(throws: TrainingError.self) { try run.open() }
    #expect(error?.code == .locked)
    #expect(error?.description.contains("another process is training in this directory") == true)
    withExtendedLifetime(first) {}
  }

  @Test func `the lock goes with its holder`() throws {
    do { _ = try run.open() }
    _ = try run.open()
  }

  @Test func `another configuration is refused and nothing is changed`() throws {
    try run.run(to: 4)
    let before = try run.contents()
    var configuration = TrainingConfiguration()
    try configuration.apply([("lr", ["1e-5"])])
    let other = TinyRun(path: run.path, identity: RunIdentity(configuration))
    let error = #expect(throws: TrainingError.self) { try other.open() }
    #expect(error?.code == .otherConfiguration)
    #expect(error?.subject == "lr")
    #expect(try run.contents() == before)
  }

  @Test func `a directory of something else is refused`() throws {
    _ = try directory.write([1], as: "photo.png")
    let error = #expect(throws: TrainingError.self) { try TinyRun(path: directory.path).open() }
    #expect(error?.code == .notARun)
    #expect(error?.category.rawValue == 73)
    let file = try directory.write([1], as: "file")
    #expect(throws: FormatError.self) { try TinyRun(path: file).open() }
    let nowhere = #expect(throws: FormatError.self) {
      try TinyRun(path: directory.file("a/b")).open()
    }
    #expect(nowhere?.category.rawValue == 73)
  }

  @Test func `what killed processes left is cleared away`() throws {
    try run.run(to: 4)
    let good = try run.contents()
    let leftovers = [".incomplete-step-00000006", ".incomplete-removed-step-00000002"]
    for name in leftovers {
      let path = run.path + "/checkpoints/" + name
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      try Data([1]).write(to: URL(fileURLWithPath: path + "/delta.safetensors"))
    }
    try Data([1]).write(to: URL(fileURLWithPath: run.path + "/.config.json.tmp-1-0"))
    #expect(try run.open().newest?.state.step == 4)
    #expect(try run.contents() == good)
  }
}
