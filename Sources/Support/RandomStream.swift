import CKernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Random numbers that are a function of (seed, stream, step, sample) and their own index.
///
/// What is drawn for one tensor or one sample depends on nothing that was drawn before, so a run can
/// be resumed, reordered or split over threads without changing a number.
public struct RandomStream: Sendable {
  private let generator: Philox
  /// The upper half of every counter, which tells streams with equal keys apart.
  private let upper: (UInt32, UInt32)

  public init(seed: UInt64, stream: UInt64, step: UInt32 = 0, sample: UInt32 = 0) {
    let root = Philox(key: halves(seed))
    let derived = root(SIMD4(halves(stream).0, halves(stream).1, step, sample))
    generator = Philox(key: (derived[0], derived[1]))
    upper = (derived[2], derived[3])
  }

  /// A stream that belongs to a name, such as a tensor's.
  public init(seed: UInt64, name: String, step: UInt32 = 0, sample: UInt32 = 0) {
    self.init(seed: seed, stream: Self.identifier(of: name), step: step, sample: sample)
  }

  /// The first eight bytes of the name's SHA-256.
  static func identifier(of name: String) -> UInt64 {
    var hash = ContentHash()
    hash.update(name)
    return UInt64(hash.hexDigest().prefix(16), radix: 16) ?? 0
  }

  /// Four uniform words.
  public func words(block: UInt64) -> SIMD4<UInt32> {
    generator(SIMD4(halves(block).0, halves(block).1, upper.0, upper.1))
  }

  /// Four numbers uniform in the open interval (0, 1), those of indices 4·block to 4·block + 3.
  public func uniform(block: UInt64) -> SIMD4<Double> {
    (SIMD4<Double>(words(block: block)) + 0.5) * 0x1p-32
  }

  /// Fills the buffer with uniform numbers, those of index 4·block and the following.
  ///
  /// - Parameter numbers: a multiple of four.
  public func fillUniform(_ numbers: UnsafeMutableBufferPointer<Double>, block: UInt64) {
    precondition(numbers.count.isMultiple(of: 4))
    guard let target = numbers.baseAddress else { return }
    wt_philox_uniform(
      target, numbers.count / 4, block, [generator.key.0, generator.key.1], [upper.0, upper.1])
  }

  /// Four numbers of mean 0 and variance 1, those of indices 4·block to 4·block + 3.
  ///
  /// Source: Box and Muller, "A note on the generation of random normal deviates" (1958).
  public func normal(block: UInt64) -> SIMD4<Double> {
    let u = uniform(block: block)
    let radii = ((-2 * log(u[0])).squareRoot(), (-2 * log(u[2])).squareRoot())
    let angles = (2 * Double.pi * u[1], 2 * Double.pi * u[3])
    return SIMD4(
      radii.0 * cos(angles.0), radii.0 * sin(angles.0), radii.1 * cos(angles.1),
      radii.1 * sin(angles.1))
  }
}

/// The lower and the upper half.
private func halves(_ value: UInt64) -> (UInt32, UInt32) {
  (UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32))
}
