import Support

/// What a user allows or asks for when a checkpoint is opened.
public struct CheckpointOptions: Sendable {
  /// The part of the file that is the model, as a dotted path.
  public var key: String?
  /// Hold records against their checksums; off for files written without them.
  public var checksCRC = true
  /// Keep the results of unknown calls inert instead of refusing the file.
  public var skipsUnknownObjects = false
  /// Allow views and compression to blow up beyond `Budgets.expansionFactor`.
  public var allowsExpansion = false

  /// Where compressed files are unpacked.
  public var scratchDirectory = "/var/tmp"
  /// Told of the work that opening takes.
  public var progress: ProgressHandler = { _ in }

  public init(
    key: String? = nil, checksCRC: Bool = true, skipsUnknownObjects: Bool = false,
    allowsExpansion: Bool = false
  ) {
    self.key = key
    self.checksCRC = checksCRC
    self.skipsUnknownObjects = skipsUnknownObjects
    self.allowsExpansion = allowsExpansion
  }
}
