import Formats
import Foundation
import Support
import TestSupport
import Testing

@testable import Training

/// Every call of the file system failing in turn.
struct RunDirectoryFaultTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// ENOSPC, EIO and EDQUOT.
  static let errnos: [Int32] = [28, 5, 122]

  @Test(arguments: FailingFileSystem.Call.allCases)
  func `a failing call loses no checkpoint`(_ call: FailingFileSystem.Call) throws {
    var failures = 0
    for index in 1...500 {
      let path = directory.file("run-\(index)")
      // The line of step 6 has no checkpoint yet and is cut off.
      try TinyRun(path: path).run(to: 7)
      let errno = Self.errnos[index % Self.errnos.count]
      let system = FailingFileSystem(call, .failure(SystemFailure(errno: errno), at: index))
      do {
        try TinyRun(path: path, fileSystem: system).run(to: 8)
      } catch let error as FormatError {
        failures += 1
        #expect(error.category == .inputOutput, "\(call) \(index): \(error)")
      } catch let error as TrainingError {
        // Every checkpoint counts as damaged when none can be read.
        failures += 1
        #expect(error.code == .noGoodCheckpoint, "\(call) \(index): \(error)")
      }
      let opened = try TinyRun(path: path).open()
      #expect([6, 8].contains(opened.newest?.state.step), "\(call) \(index)")
      #expect(opened.warnings.isEmpty, "\(call) \(index): \(opened.warnings)")
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: path + "/checkpoints")
          .allSatisfy { $0.hasPrefix("step-") })
      try FileManager.default.removeItem(atPath: path)
      guard system.hasFailed else { break }
      #expect(index < 500, "more calls than tried")
    }
    // A checkpoint is no file with two names, and a failed look at a path means it is not there.
    #expect(failures > 0 || call == .link)
  }

  @Test(arguments: FailingFileSystem.Call.allCases)
  func `an interrupted call is made again`(_ call: FailingFileSystem.Call) throws {
    guard ![.close, .synchronize, .synchronizeDirectory].contains(call) else { return }
    let good = TinyRun(path: directory.file("good"))
    try good.run(to: 4)
    for index in 1...500 {
      let system = FailingFileSystem(call, .failure(SystemFailure(errno: 4), at: index))
      let run = TinyRun(path: directory.file("run-\(index)"), fileSystem: system)
      try run.run(to: 4)
      #expect(try run.contents() == good.contents())
      try FileManager.default.removeItem(atPath: run.path)
      guard system.hasFailed else { break }
    }
  }
}
