/// What tells files and folders apart, whatever names and links lead to them.
public struct FileIdentity: Sendable, Hashable {
  private var device: UInt64
  private var inode: UInt64

  public init(_ status: FileStatus) { (device, inode) = (status.device, status.inode) }

  /// Nil where a path leads to nothing that can be looked at.
  public init?(_ path: String, fileSystem: any FileSystem = POSIXFileSystem()) {
    guard let status = try? fileSystem.status(path: path) else { return nil }
    self.init(status)
  }
}
