import Support

/// Many tensors cut into pieces, so that threads share large and small ones alike.
struct TensorPieces: Sendable {
  /// Numbers that one thread takes at once; sums are taken in this order whatever the threads.
  static let size = 1 << 16

  struct Piece: Sendable {
    var tensor: Int
    var range: Range<Int>
  }

  let pieces: [Piece]

  /// - Parameter counts: the numbers of each tensor.
  init(_ counts: [Int]) {
    pieces = counts.enumerated().flatMap { tensor, count in
      stride(from: 0, to: count, by: Self.size).map {
        Piece(tensor: tensor, range: $0..<min($0 + Self.size, count))
      }
    }
  }

  func forEach(_ body: @Sendable (Piece) -> Void) {
    parallelFor(count: pieces.count) { body(pieces[$0]) }
  }

  /// Adds up what `body` gives for each piece, in their order.
  func sum(_ body: @Sendable (Piece) -> Double) -> Double {
    var parts = [Double](repeating: 0, count: pieces.count)
    parts.withUnsafeMutableBufferPointer { parts in
      let parts = SendablePointer(parts.baseAddress)
      parallelFor(count: pieces.count) { index in parts.base?[index] = body(pieces[index]) }
    }
    return parts.reduce(0, +)
  }
}

/// A pointer of which every thread writes places of its own.
struct SendablePointer<Value>: @unchecked Sendable {
  let base: UnsafeMutablePointer<Value>?

  init(_ base: UnsafeMutablePointer<Value>?) { self.base = base }
}
