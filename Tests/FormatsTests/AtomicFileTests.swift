import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite("Atomic file")
struct AtomicFileTests {
  @Test func `a committed file has its bytes and leaves no temporary`() throws {
    let directory = try TemporaryDirectory()
    let file = try AtomicFile(target: directory.file("a"), size: 4, overwrite: false)
    try [1, 2, 3, 4].withUnsafeBytes {
      try file.write(UnsafeRawBufferPointer(rebasing: $0[..<4]), at: 0)
    }
    try file.commit()
    #expect(try directory.entries() == ["a"])
    #expect(try InputFile(directory.file("a")).bytes(0..<4) == [1, 0, 0, 0])
  }

  @Test func `a dropped file leaves nothing`() throws {
    let directory = try TemporaryDirectory()
    _ = try AtomicFile(target: directory.file("a"), size: 4, overwrite: false)
    #expect(try directory.entries().isEmpty)
  }

  @Test func `an existing target is refused unless overwriting`() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write([7], as: "a")
    let error = #expect(throws: FormatError.self) {
      try AtomicFile(target: path, size: 1, overwrite: false)
    }
    #expect(error?.code == .outputExists)
    #expect(error?.category.rawValue == 73)
  }

  @Test func `a link that leads nowhere is somebody's name`() throws {
    let directory = try TemporaryDirectory()
    try FileManager.default.createSymbolicLink(
      atPath: directory.file("a"), withDestinationPath: "nothing")
    let error = #expect(throws: FormatError.self) {
      try AtomicFile(target: directory.file("a"), size: 1, overwrite: false)
    }
    #expect(error?.code == .outputExists)
    try AtomicFile.write([1], to: directory.file("a"), overwrite: true)
    #expect(try directory.entries() == ["a"])
  }

  @Test func `a missing folder is told before any work`() throws {
    let directory = try TemporaryDirectory()
    _ = try directory.write([1], as: "file")
    for folder in ["absent", "file"] {
      let error = #expect(throws: FormatError.self) {
        try AtomicFile.checkFolder(of: directory.file(folder + "/a"))
      }
      #expect(error?.code == .outputUnavailable)
    }
  }
}
