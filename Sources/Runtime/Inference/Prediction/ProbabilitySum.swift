import Numerics
import Support
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// What the windows over one slice have said of it so far.
final class ProbabilitySum {
  let classes: Int
  let height: Int
  let width: Int
  /// Of shape [classes, height, width].
  private var sums: [Float]
  /// Windows that have said something.
  private(set) var count = 0

  init(classes: Int, height: Int, width: Int) {
    self.classes = classes
    self.height = height
    self.width = width
    sums = [Float](repeating: 0, count: classes * height * width)
  }

  /// Adds the softmax over the classes of one slice's logits.
  ///
  /// - Parameter logits: packed, of shape [slices, classes, height, width].
  /// - Returns: whether every pixel has probabilities; one with a logit that is no number has none.
  func add(_ logits: Tensor, slice: Int) -> Bool {
    let isSound = Atomic<Bool>(true)
    let (classes, width, plane) = (classes, width, height * width)
    let source = SharedFloats(base: logits.pointer + slice * classes * plane)
    sums.withUnsafeMutableBufferPointer { sums in
      guard let base = sums.baseAddress else { return }
      let target = SharedFloats(base: base)
      parallelFor(count: height) { row in
        let isRowSound = addRow(
          source.base + row * width, to: target.base + row * width, classes, width, step: plane)
        if !isRowSound { isSound.store(false, ordering: .relaxed) }
      }
    }
    withExtendedLifetime(logits) {}
    count += 1
    return isSound.load(ordering: .relaxed)
  }

  /// Reads the mean of the windows, of shape [classes, height, width].
  func withMean<Result>(_ body: (SharedFloats) -> Result) -> Result {
    if count > 1 {
      let factor = 1 / Float(count)
      for place in sums.indices { sums[place] *= factor }
      count = 1
    }
    return sums.withUnsafeMutableBufferPointer { sums in
      guard let base = sums.baseAddress else { preconditionFailure("there is a class") }
      return body(SharedFloats(base: base))
    }
  }
}

/// Memory of which several threads use different parts.
struct SharedFloats: @unchecked Sendable {
  let base: UnsafeMutablePointer<Float>
}

/// Adds the softmax of a row of pixels, whose classes lie a plane apart; tells whether all have one.
private func addRow(
  _ logits: UnsafeMutablePointer<Float>, to sums: UnsafeMutablePointer<Float>, _ classes: Int,
  _ width: Int, step: Int
) -> Bool {
  withUnsafeTemporaryAllocation(of: Float.self, capacity: classes + 1) { powers in
    var isSound = true
    for pixel in 0..<width {
      var most = logits[pixel]
      for index in 1..<max(1, classes) { most = max(most, logits[index * step + pixel]) }
      var total: Float = 0
      for index in 0..<classes {
        powers[index] = exp(logits[index * step + pixel] - most)
        total += powers[index]
      }
      isSound = isSound && !total.isNaN
      for index in 0..<classes { sums[index * step + pixel] += powers[index] / total }
    }
    return isSound
  }
}
