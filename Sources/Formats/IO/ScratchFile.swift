/// A nameless file for what does not fit in memory.
final class ScratchFile {
  private var descriptor: Int32?
  private let directory: String
  private let fileSystem: any FileSystem

  init(in directory: String, _ fileSystem: any FileSystem) throws {
    self.directory = directory
    self.fileSystem = fileSystem
    descriptor = try TemporaryFiles.undisturbed {
      let (path, descriptor) = try createTemporaryFile(
        beside: directory + "/wt-scratch", fileSystem)
      // Without a name it cannot be left behind.
      try retryingInterrupts("unlink", path) { try fileSystem.remove(path) }
      return descriptor
    }
  }

  deinit {
    if let descriptor { try? fileSystem.close(descriptor) }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    guard let descriptor else { return }
    try writeAll(bytes, at: offset, to: descriptor, of: directory, fileSystem)
  }

  /// Gives the file a size; what was never written takes no room.
  func resize(_ size: Int) throws {
    guard let descriptor else { return }
    try retryingInterrupts("truncate", directory) {
      try fileSystem.truncate(descriptor, size: size)
    }
  }

  /// Hands the descriptor to a new owner.
  func release() -> Int32 {
    guard let descriptor else { preconditionFailure("released twice") }
    self.descriptor = nil
    return descriptor
  }
}
