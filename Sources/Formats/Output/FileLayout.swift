/// Where everything of an output lies whose size is known before its tensors have been read.
///
/// Tensors can so be written from several threads at once, each to its own place.
protocol FileLayout: Sendable {
  /// For each tensor, in the order given, where its bytes begin in the file.
  var offsets: [Int] { get }
  /// The places in the given list, in the order of the file.
  var order: [Int] { get }
  var fileSize: Int { get }
  /// Whether `framing` needs the tensors' checksums.
  var needsChecksums: Bool { get }

  /// Ranges of the file that several tensors lie in, by the first of them; what is needed of that
  /// one is the range's checksum.
  var sharedRanges: [Int: Range<Int>] { get }

  /// Everything that is not a tensor.
  ///
  /// - Parameter checksums: the CRC-32 of each tensor in the order given, if they are needed.
  func framing(_ checksums: [UInt32]) -> [FramingPiece]
}

extension FileLayout {
  var sharedRanges: [Int: Range<Int>] { [:] }
}

/// Bytes of an output that belong to its format.
struct FramingPiece: Sendable, Equatable {
  var offset: Int
  var bytes: [UInt8]
}
