import Formats

/// How two tensors of one name differ.
public struct TensorComparison: Sendable, Equatable {
  /// Elements that are not bit by bit the same.
  public var differing = 0
  public var largestAbsolute = 0.0
  /// The largest |a − b| / max(|a|, |b|).
  public var largestRelative = 0.0
  /// Where the first difference beyond the tolerance lies, in C order.
  public var firstIndex: Int?
  /// Elements beyond the tolerance; a NaN against a number always is.
  public var beyondTolerance = 0

  public init() {}

  /// What counts as the same: |a − b| ≤ absolute + relative · |b|.
  public struct Tolerance: Sendable {
    public var absolute: Double
    public var relative: Double
    public init(absolute: Double = 0, relative: Double = 0) {
      self.absolute = absolute
      self.relative = relative
    }
  }

  mutating func add(_ left: Double, _ right: Double, at index: Int, _ tolerance: Tolerance) {
    // Equal bit patterns cover NaNs and tell the zeros apart.
    guard left.bitPattern != right.bitPattern else { return }
    differing += 1
    let bothNaN = left.isNaN && right.isNaN
    let difference = bothNaN || left == right ? 0 : abs(left - right)
    let scale = max(abs(left), abs(right))
    largestAbsolute = difference.isNaN ? .nan : max(largestAbsolute, difference)
    // A comparison with NaN holds never, so `max` would pass over it.
    let relative = scale > 0 || scale.isNaN ? difference / scale : 0
    largestRelative = relative.isNaN && !bothNaN ? .infinity : max(largestRelative, relative)
    guard !(difference <= tolerance.absolute + tolerance.relative * abs(right)) else { return }
    beyondTolerance += 1
    firstIndex = firstIndex ?? index
  }

  /// Reads both tensors, which must have the same shape, side by side.
  ///
  /// - Throws: `FormatError` when one cannot be read.
  public init?(
    _ left: (any Checkpoint, Int), _ right: (any Checkpoint, Int), _ tolerance: Tolerance
  ) throws {
    let types = (left.0.tensors[left.1].dtype, right.0.tensors[right.1].dtype)
    guard let first = ElementDecoder(types.0), let second = ElementDecoder(types.1),
      let widths = types.0.byteWidth.flatMap({ one in types.1.byteWidth.map { (one, $0) } }),
      first.numbersPerElement == second.numbersPerElement
    else { return nil }
    self.init()
    let chunk = 1 << 16
    let readers = (try left.0.reader(of: left.1), try right.0.reader(of: right.1))
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: chunk * (widths.0 + widths.1), alignment: 64)
    defer { buffer.deallocate() }
    let parts = (
      UnsafeMutableRawBufferPointer(rebasing: buffer[..<(chunk * widths.0)]),
      UnsafeMutableRawBufferPointer(rebasing: buffer[(chunk * widths.0)...])
    )
    var start = 0
    while true {
      let counts = (try readers.0.read(into: parts.0), try readers.1.read(into: parts.1))
      guard counts.0 > 0 else { return }
      var values: [Double] = []
      first.forEach(UnsafeRawBufferPointer(rebasing: parts.0[..<counts.0])) { values.append($0) }
      var place = 0
      second.forEach(UnsafeRawBufferPointer(rebasing: parts.1[..<counts.1])) { value in
        add(values[place], value, at: (start + place) / first.numbersPerElement, tolerance)
        place += 1
      }
      start += place
    }
  }
}
