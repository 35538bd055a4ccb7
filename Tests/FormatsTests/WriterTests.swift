import Foundation
import Support
import Synchronization
import TestSupport
import Testing

@testable import Formats

@Suite("Writing safetensors")
struct WriterTests {
  private let directory: TemporaryDirectory
  private let source: any Checkpoint
  private var target: String { directory.file("out.safetensors") }

  init() throws {
    directory = try TemporaryDirectory()
    source = try openCheckpoint(Fixtures.path("torch/plain_protocol2.pth"))
  }

  private func write() throws {
    let source = source
    _ = try CheckpointWriter(source.tensors, from: { try source.reader(of: $0) })
      .write(to: target, overwrite: true)
  }

  @Test func `what is written is what was read`() throws {
    try write()
    let copy = try openCheckpoint(target)
    for (index, info) in source.tensors.enumerated() {
      let place = try #require(copy.index(of: info.name))
      #expect(try haveEqualBytes((source, index), (copy, place)))
    }
  }

  @Test func `the same tensors give the same bytes on any number of threads`() throws {
    try write()
    let first = try InputFile(target).contentHash()
    Threads.setCount(1)
    try write()
    Threads.setCount(2)
    #expect(try InputFile(target).contentHash() == first)
  }

  @Test(arguments: [false, true], [false, true])
  func `a bit that was written wrong is noticed wherever it is`(
    isCalculated: Bool, isLate: Bool
  ) throws {
    for reference in [CheckpointWriter.Reference.source, .checksums] {
      try flipEveryWrite(isCalculated: isCalculated, isLate: isLate, reference)
    }
  }

  private func flipEveryWrite(
    isCalculated: Bool, isLate: Bool, _ reference: CheckpointWriter.Reference
  ) throws {
    let source = source
    for index in 1...1000 {
      let fileSystem = FailingFileSystem(.write, .flip(at: index))
      let late = LateMetadata(
        places: isCalculated ? [] : Array(source.tensors.indices), jobCount: 0, run: { _ in },
        complete: { _ in CheckpointMetadata() })
      let writer = CheckpointWriter(
        source.tensors, fileSystem: fileSystem, reference: reference,
        from: { Calculation(try source.reader(of: $0), isCalculated) }, late: isLate ? late : nil)
      if finished(writer, fileSystem) {
        #expect(index > source.tensors.count)
        return try FileManager.default.removeItem(atPath: target)
      }
      #expect(try directory.entries().isEmpty, "write \(index)")
    }
  }

  @Test func `what is held against checksums is read from its source once`() throws {
    let source = source
    let reads = Mutex(0)
    for (reference, expected) in [(CheckpointWriter.Reference.checksums, 1), (.source, 2)] {
      reads.withLock { $0 = 0 }
      _ = try CheckpointWriter(source.tensors, reference: reference) { index in
        reads.withLock { $0 += 1 }
        return try source.reader(of: index)
      }.write(to: target, overwrite: true)
      #expect(reads.withLock { $0 } == expected * source.tensors.count)
    }
  }

  @Test func `no page goes to the disk before the piece that ends it`() throws {
    let fileSystem = FailingFileSystem(.write, .flip(at: .max))
    let file = try AtomicFile(target: target, size: 0, overwrite: false, fileSystem: fileSystem)
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let piece = [UInt8](repeating: 1, count: 2 * page)
    for place in 0..<3 {
      try piece.withUnsafeBytes { try file.write($0, at: 8 + place * piece.count) }
    }
    let expected = (0..<3).map { (place: Int) -> Range<Int> in
      place * piece.count..<(place + 1) * piece.count
    }
    #expect(fileSystem.writebacks.withLock { $0 } == expected)
  }

  /// Whether the output was made because no bit was flipped in it.
  private func finished(_ writer: CheckpointWriter, _ fileSystem: FailingFileSystem) -> Bool {
    let isWritten = (try? writer.write(to: target, overwrite: false)) != nil
    #expect(isWritten != fileSystem.hasFailed)
    return isWritten
  }

  /// The length 640 is `80 02`, which is how pickles begin; 35,615 is gzip's magic.
  @Test(arguments: [640, 896, 1152, 1408, 35_615, 23_112])
  func `a header of any length is known for what it is`(length: Int) throws {
    let json = Array("{}".utf8) + [UInt8](repeating: 0x20, count: length - 2)
    let bytes = withUnsafeBytes(of: UInt64(length).littleEndian, Array.init) + json
    let checkpoint = try openCheckpoint(directory.write(bytes, as: "a"))
    #expect(checkpoint.container == .safeTensors)
  }

  @Test func `types that the format lacks are refused`() throws {
    let info = try TensorInfo(name: "a", dtype: .complex128, shape: [1])
    let error = #expect(throws: FormatError.self) {
      try SafeTensorsLayout([info], metadata: CheckpointMetadata())
    }
    #expect(error?.code == .unsupportedDtype)
  }

  @Test(arguments: ["/dev/zero", "/"]) func `only regular files are read`(path: String) {
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == .notRegularFile)
  }
}

/// Hands on what another reader gives, as if it had been calculated.
private final class Calculation: TensorReader {
  private let reader: any TensorReader
  let isCalculated: Bool

  init(_ reader: any TensorReader, _ isCalculated: Bool) {
    self.reader = reader
    self.isCalculated = isCalculated
  }

  var isStreaming: Bool { reader.isStreaming }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try reader.read(into: buffer)
  }
}
