import CKernels
import Numerics
import Support

/// Cross-entropy and soft Dice of a segmentation, weighted.
///
/// Cross-entropy is the mean over the pixels that count. Dice is 1 − (2Σpt + s) / (Σp² + Σt² + s) for
/// each class, with sums over the whole batch, then the mean over all classes with the background; a
/// pixel that does not count has no label there, but its probabilities are summed.
/// Source: `calc_loss` in MA-SAM's trainer.py, `DiceLoss` in utils.py.
public struct SegmentationLoss: Sendable, Equatable {
  /// The label of pixels that do not count.
  public static let ignored: Int16 = -100
  /// What keeps Dice defined for a class that is nowhere.
  static let smoothing = 1e-5
  /// Pixels that one thread takes at once; sums are taken in this order whatever the threads.
  static let pieceSize = 1 << 14

  public var entropyWeight: Double
  public var diceWeight: Double

  public init(entropyWeight: Double = 0.2, diceWeight: Double = 0.8) {
    self.entropyWeight = entropyWeight
    self.diceWeight = diceWeight
  }

  /// A loss, its two parts before they are weighted, and its gradient.
  public struct Value: Sendable {
    public var loss: Double
    public var entropy: Double
    public var dice: Double
    /// By the logits, and of their shape.
    public var gradient: Tensor
  }

  /// The loss of logits and how it changes with them.
  ///
  /// - Parameters:
  ///   - logits: [images, classes, height, width], packed.
  ///   - labels: [images, height, width], each a class or `ignored`.
  ///   - scale: what the gradient is multiplied by, such as one part of several batches.
  public func callAsFunction(logits: Tensor, labels: [Int16], scale: Double = 1) -> Value {
    let pieces = Pieces(logits.shape, size: Self.pieceSize)
    precondition(logits.isPacked && labels.count == pieces.images * pieces.plane)
    precondition(
      labels.allSatisfy { (0..<Int16(pieces.classes)).contains($0) || $0 == Self.ignored })
    let gradient = Tensor(uninitialised: logits.shape)
    return labels.withUnsafeBufferPointer { labels in
      let labels = LabelPointer(base: labels.baseAddress)
      let sums = Self.sums(logits, labels, into: gradient, pieces)
      let terms = Terms(sums, classes: pieces.classes)
      differentiate(gradient, labels, pieces, terms, scale)
      return Value(
        loss: entropyWeight * terms.entropy + diceWeight * terms.dice, entropy: terms.entropy,
        dice: terms.dice, gradient: gradient)
    }
  }

  /// Softmax, and what the loss is a function of, added up piece after piece.
  private static func sums(
    _ logits: Tensor, _ labels: LabelPointer, into probabilities: Tensor, _ pieces: Pieces
  ) -> [Double] {
    let width = 1 + 3 * pieces.classes
    var parts = [Double](repeating: 0, count: pieces.count * width)
    parts.withUnsafeMutableBufferPointer { parts in
      let base = PartPointer(base: parts.baseAddress)
      parallelFor(count: pieces.count) { index in
        guard let labels = labels.base, let part = base.base else { return }
        let piece = pieces[index]
        wt_loss_terms(
          probabilities.pointer + piece.place, logits.pointer + piece.place, labels + piece.pixel,
          pieces.classes, pieces.plane, piece.count, part + index * width)
      }
    }
    var sums = [Double](repeating: 0, count: width)
    for place in parts.indices { sums[place % width] += parts[place] }
    return withExtendedLifetime((logits, probabilities)) { sums }
  }

  private func differentiate(
    _ probabilities: Tensor, _ labels: LabelPointer, _ pieces: Pieces, _ terms: Terms,
    _ scale: Double
  ) {
    let share = scale * diceWeight / Double(pieces.classes)
    let square = terms.classes.map { Float(share * $0.squareSlope) }
    let overlap = terms.classes.map { Float(share * $0.overlapSlope) }
    let entropy = Float(scale * entropyWeight / max(terms.counted, 1))
    parallelFor(count: pieces.count) { index in
      guard let labels = labels.base else { return }
      let piece = pieces[index]
      wt_loss_gradient(
        probabilities.pointer + piece.place, labels + piece.pixel, pieces.classes, pieces.plane,
        piece.count, entropy, square, overlap)
    }
    withExtendedLifetime(probabilities) {}
  }
}

/// The two parts of the loss from its sums.
private struct Terms {
  /// Of one class: what half of Σp² and what Σpt are multiplied by in the differential of Dice.
  struct ClassTerms {
    var dice: Double
    var squareSlope: Double
    var overlapSlope: Double
  }

  /// Zero when no pixel counts.
  let entropy: Double
  let counted: Double
  let classes: [ClassTerms]

  var dice: Double { classes.reduce(0) { $0 + $1.dice } / Double(classes.count) }

  init(_ sums: [Double], classes: Int) {
    self.classes = (0..<classes).map { index in
      let (squares, overlap) = (sums[1 + 3 * index], sums[2 + 3 * index])
      let above = 2 * overlap + SegmentationLoss.smoothing
      let below = squares + sums[3 + 3 * index] + SegmentationLoss.smoothing
      return ClassTerms(
        dice: 1 - above / below, squareSlope: 2 * above / (below * below), overlapSlope: 2 / below)
    }
    counted = (0..<classes).reduce(0) { $0 + sums[3 + 3 * $1] }
    entropy = counted > 0 ? sums[0] / counted : 0
  }
}

/// Logits [images, classes, height, width] cut into runs of pixels, none across two images.
private struct Pieces: Sendable {
  let images: Int
  let classes: Int
  let plane: Int
  private let size: Int
  private let piecesPerImage: Int

  init(_ shape: [Int], size: Int) {
    precondition(shape.count == 4 && shape[1] > 0 && shape[1] <= Int(Int16.max))
    images = shape[0]
    classes = shape[1]
    plane = shape[2] * shape[3]
    self.size = size
    piecesPerImage = (plane + size - 1) / size
  }

  var count: Int { images * piecesPerImage }

  /// Where a piece's first logit and first label lie, and how many pixels it has.
  subscript(_ index: Int) -> (place: Int, pixel: Int, count: Int) {
    let (image, start) = (index / piecesPerImage, index % piecesPerImage * size)
    return (image * classes * plane + start, image * plane + start, min(size, plane - start))
  }
}

/// Labels that threads only read.
private struct LabelPointer: @unchecked Sendable {
  let base: UnsafePointer<Int16>?
}

/// Sums of which each thread writes those of its own piece.
private struct PartPointer: @unchecked Sendable {
  let base: UnsafeMutablePointer<Double>?
}
