import Formats
import Testing

@testable import Surgery

struct FiniteCheckTests {
  private final class Bytes: TensorReader {
    private var rest: ArraySlice<UInt8>
    init(_ bytes: [UInt8]) { rest = bytes[...] }
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
      let part = rest.prefix(buffer.count)
      buffer.copyBytes(from: part)
      rest = rest.dropFirst(part.count)
      return part.count
    }
  }

  private func run(_ dtype: DType, _ count: Int, _ place: Int, _ bits: UInt64) throws {
    let width = try #require(dtype.byteWidth)
    var bytes = [UInt8](repeating: 0, count: count * width)
    for byte in 0..<width {
      bytes[place * width + byte] = UInt8(truncatingIfNeeded: bits >> UInt64(8 * byte))
    }
    let info = try TensorInfo(name: "a", dtype: dtype, shape: [count])
    try FiniteCheck(info)(Bytes(bytes))
  }

  /// Of each type: NaN, both infinities, and the numbers nearest to them that are finite.
  static let rows: [(dtype: DType, bad: [UInt64], good: [UInt64])] = [
    (
      .float64, [0x7FF8_0000_0000_0000, 0x7FF0_0000_0000_0000, 0xFFF0_0000_0000_0000],
      [0x7FEF_FFFF_FFFF_FFFF, 0xFFEF_FFFF_FFFF_FFFF, 1]
    ),
    (.float32, [0x7FC0_0001, 0x7F80_0000, 0xFF80_0000], [0x7F7F_FFFF, 0xFF7F_FFFF, 1]),
    (.float16, [0x7E00, 0x7C00, 0xFC00], [0x7BFF, 0xFBFF, 1]),
    (.bfloat16, [0x7FC0, 0x7F80, 0xFF80], [0x7F7F, 0xFF7F, 1]),
  ]

  @Test(arguments: rows.map(\.dtype)) func `only what is not finite is refused, by its place`(
    _ dtype: DType
  ) throws {
    let row = try #require(Self.rows.first { $0.dtype == dtype })
    // More than one piece of 1 MiB, and an odd end.
    let count = (3 << 20) / (dtype.byteWidth ?? 1) + 5
    for place in [0, 17, (1 << 20) / (dtype.byteWidth ?? 1), count - 1] {
      for bits in row.good { try run(dtype, count, place, bits) }
      for bits in row.bad {
        let error = #expect(throws: SurgeryError.self) { try run(dtype, count, place, bits) }
        #expect(error?.code == .notFinite)
        #expect(error?.found?.hasSuffix("at element \(place)") == true)
      }
    }
  }
}
