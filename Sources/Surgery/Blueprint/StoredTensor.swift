import Formats

/// A tensor that lies in a checkpoint.
public struct StoredTensor: Sendable {
  public let checkpoint: any Checkpoint
  /// Where in the checkpoint; all of the places hold the same bytes.
  public let places: [Int]
  /// The base that the tensor belongs to and its place in it, while that base's hash is unknown.
  var recorded: (base: BaseDigest, place: Int)?

  init(checkpoint: any Checkpoint, places: [Int]) {
    self.checkpoint = checkpoint
    self.places = places
  }

  /// What the checkpoint says of it.
  public var info: TensorInfo { checkpoint.tensors[places[0]] }

  func reader() throws -> any TensorReader {
    let path = checkpoint.path
    return try naming(path) {
      NamingReader(try checkpoint.reader(of: places[0]), path: path)
    }
  }
}

/// Completes the errors of a reader with the file they concern.
private final class NamingReader: TensorReader {
  private let reader: any TensorReader
  private let path: String

  var isStreaming: Bool { reader.isStreaming }

  init(_ reader: any TensorReader, path: String) {
    self.reader = reader
    self.path = path
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try naming(path) { try reader.read(into: buffer) }
  }
}

private func naming<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
  do {
    return try body()
  } catch var error as FormatError where error.file == nil {
    error.file = path
    throw error
  }
}
