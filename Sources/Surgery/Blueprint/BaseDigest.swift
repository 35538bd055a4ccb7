import Formats
import Support
import Synchronization

/// The content hash of a base, taken from its tensors while they are read for something else.
///
/// Most of a base goes into what is made of it, so hashing it costs no second reading; what was not
/// read by the end is read then.
public final class BaseDigest: Sendable {
  /// As long as a digest, it stands in the metadata until the digest is known.
  static let placeholder = String(repeating: "0", count: 64)

  private let base: PlannedCheckpoint
  private let expected: String?
  private let digests: Mutex<[String?]>

  /// - Parameters:
  ///   - expected: what the hash has to be, if anything.
  init(_ base: Blueprint, expected: String?) {
    self.base = PlannedCheckpoint(base, path: base.sources.first?.path ?? "")
    self.expected = expected
    digests = Mutex(Array(repeating: nil, count: base.entries.count))
  }

  /// The base, each of whose tensors is hashed when it is first read.
  func tapped(_ base: Blueprint) -> Blueprint {
    var tapped = base
    let checkpoint = TappedCheckpoint(self)
    for place in base.entries.indices {
      tapped.entries[place].origin = .stored(
        StoredTensor(checkpoint: checkpoint, places: [place]))
    }
    return tapped
  }

  /// The content hash, when everything else has been read.
  ///
  /// - Throws: `SurgeryError` with code `wrongBase`, or what reading the rest throws.
  func content() throws -> String {
    try parallelFor(count: base.tensors.count) { index in
      guard digests.withLock({ $0[index] }) == nil else { return }
      let reader = try reader(of: index)
      try withUnsafeTemporaryAllocation(byteCount: Self.pieceBytes, alignment: 64) { buffer in
        while try reader.read(into: buffer) > 0 {}
      }
    }
    let hash = CheckpointHash(base.tensors, digests.withLock { $0.map { $0 ?? "" } }).content
    guard expected == nil || expected == hash else {
      throw SurgeryError(
        .wrongBase, file: base.path, expected: "content hash \(expected?.shortened() ?? "")",
        found: hash,
        remedy: "give the base it was trained on, or use this one with --allow-different-base")
    }
    return hash
  }

  private static let pieceBytes = 1 << 16

  fileprivate var checkpoint: PlannedCheckpoint { base }

  /// A reader that leaves the digest here when it has come to the end.
  fileprivate func reader(of index: Int) throws -> any TensorReader {
    let reader = try base.reader(of: index)
    guard digests.withLock({ $0[index] }) == nil else { return reader }
    return DigestingReader(reader, count: base.tensors[index].byteCount) { digest in
      self.digests.withLock { $0[index] = digest }
    }
  }
}

/// A base as its digest lets it be read.
private struct TappedCheckpoint: Checkpoint {
  private let digest: BaseDigest

  init(_ digest: BaseDigest) { self.digest = digest }

  var path: String { digest.checkpoint.path }
  var container: ContainerKind { digest.checkpoint.container }
  var tensors: [TensorInfo] { digest.checkpoint.tensors }
  var metadata: CheckpointMetadata { digest.checkpoint.metadata }
  var notes: [String] { digest.checkpoint.notes }
  var fileSize: Int { digest.checkpoint.fileSize }

  func reader(of index: Int) throws -> any TensorReader { try digest.reader(of: index) }
  func checkUnchanged() throws { try digest.checkpoint.checkUnchanged() }
}

/// Hashes what passes through.
private final class DigestingReader: TensorReader {
  private let reader: any TensorReader
  private let finish: (String) -> Void
  private var hash: ContentHash? = ContentHash()
  private var rest: Int

  init(_ reader: any TensorReader, count: Int, finish: @escaping (String) -> Void) {
    self.reader = reader
    self.finish = finish
    rest = count
    finishIfDone()
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = try reader.read(into: buffer)
    hash?.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    rest -= count
    finishIfDone()
    return count
  }

  private func finishIfDone() {
    guard rest <= 0, let hash else { return }
    finish(hash.hexDigest())
    self.hash = nil
  }
}
