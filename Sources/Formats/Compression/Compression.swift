/// How a whole file may be compressed around its container.
public enum Compression: String, Sendable, CaseIterable {
  case zstd
  case gzip
}
