import Formats
import Synchronization

/// Files in memory: the one under test, and what is written beside it.
///
/// The fuzzers' own; it lies here, with a link from there, so that what tests build minds the protocol.
final class MemoryFileSystem: FileSystem {
  private struct State {
    var contents: [Int32: [UInt8]] = [:]
    var next: Int32 = 3
  }

  private let input: [UInt8]
  private let state = Mutex(State())

  init(_ input: [UInt8]) { self.input = input }

  private func open(_ content: [UInt8]) -> Int32 {
    state.withLock { state in
      defer { state.next += 1 }
      state.contents[state.next] = content
      return state.next
    }
  }

  func openForReading(_ path: String) throws -> Int32 { open(input) }
  func openForReading(_ name: String, in directory: String) throws -> Int32 { open(input) }
  func createExclusively(_ path: String, permissions: UInt32) throws -> Int32 { open([]) }

  func status(_ descriptor: Int32) throws -> FileStatus {
    let size = state.withLock { $0.contents[descriptor]?.count }
    return Self.status(size: size ?? 0)
  }

  func isLink(_ path: String) -> Bool { false }
  func status(path: String) throws -> FileStatus { Self.status(size: input.count) }

  private static func status(size: Int) -> FileStatus {
    FileStatus(
      size: size, isRegular: true, isDirectory: false, device: 0, inode: 0, modified: 0,
      permissions: 0o644)
  }

  func read(
    _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws -> Int {
    state.withLock { state in
      let rest = state.contents[descriptor].map { $0.dropFirst(offset) } ?? []
      let part = rest.prefix(buffer.count)
      UnsafeMutableRawBufferPointer(rebasing: buffer[..<part.count]).copyBytes(from: part)
      return part.count
    }
  }

  func write(
    _ descriptor: Int32, from buffer: UnsafeRawBufferPointer, at offset: Int
  ) throws -> Int {
    state.withLock { state in
      // Output is written from front to back.
      state.contents[descriptor]?.append(contentsOf: buffer)
    }
    return buffer.count
  }

  func allocate(_ descriptor: Int32, size: Int) throws {}
  func startWriteback(_ descriptor: Int32, offset: Int, count: Int) {}
  func synchronize(_ descriptor: Int32) throws {}
  func close(_ descriptor: Int32) throws {
    state.withLock { _ = $0.contents.removeValue(forKey: descriptor) }
  }
  func rename(_ source: String, to target: String) throws {}
  func link(_ path: String, as other: String) throws {}
  func remove(_ path: String) throws {}
  func synchronizeDirectory(_ path: String) throws {}
  func openForWriting(_ path: String, permissions: UInt32) throws -> Int32 { open([]) }
  func lock(_ descriptor: Int32) throws {}
  func truncate(_ descriptor: Int32, size: Int) throws {
    state.withLock { state in
      guard let content = state.contents[descriptor] else { return }
      let zeros = [UInt8](repeating: 0, count: max(0, size - content.count))
      state.contents[descriptor] = Array((content + zeros).prefix(size))
    }
  }
  func makeDirectory(_ path: String, permissions: UInt32) throws {}
  func removeDirectory(_ path: String) throws {}
  func entries(of path: String) throws -> [String] { [] }
}
