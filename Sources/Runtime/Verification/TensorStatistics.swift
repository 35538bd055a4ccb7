import Formats

/// What the numbers of one tensor are like.
public struct TensorStatistics: Sendable, Equatable {
  public var count = 0
  public var minimum = Double.infinity
  public var maximum = -Double.infinity
  public var sum = 0.0
  public var sumOfSquares = 0.0
  public var nanCount = 0
  public var infinityCount = 0
  public var zeroCount = 0

  public init() {}

  /// The mean of the finite numbers, nil when there are none.
  public var mean: Double? {
    let finite = count - nanCount - infinityCount
    return finite > 0 ? sum / Double(finite) : nil
  }

  /// The standard deviation of the finite numbers (of the population).
  public var standardDeviation: Double? {
    let finite = Double(count - nanCount - infinityCount)
    guard finite > 0, let mean else { return nil }
    return max(0, sumOfSquares / finite - mean * mean).squareRoot()
  }

  mutating func add(_ value: Double) {
    count += 1
    if value.isNaN {
      nanCount += 1
    } else if value.isInfinite {
      infinityCount += 1
    } else {
      minimum = min(minimum, value)
      maximum = max(maximum, value)
      sum += value
      sumOfSquares += value * value
      if value == 0 { zeroCount += 1 }
    }
  }

  /// Reads one tensor of a checkpoint; nil for a type whose elements are not whole bytes.
  ///
  /// - Throws: `FormatError` when the tensor cannot be read.
  public init?(_ checkpoint: any Checkpoint, _ index: Int) throws {
    guard let decoder = ElementDecoder(checkpoint.tensors[index].dtype) else { return nil }
    var statistics = TensorStatistics()
    let reader = try checkpoint.reader(of: index)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    while case let count = try reader.read(into: buffer), count > 0 {
      decoder.forEach(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { statistics.add($0) }
    }
    self = statistics
  }
}
