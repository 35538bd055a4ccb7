import CKernels
import Testing

@testable import Numerics

@Suite("bfloat16")
struct BrainFloatTests {
  /// What each float becomes, by hand: ties to even, what is beyond the largest number, what is smaller
  /// than the smallest normal one, and what is none.
  private static let pinned: [(from: UInt32, to: UInt16)] = [
    (0x3F80_0000, 0x3F80), (0x3F80_8000, 0x3F80), (0x3F81_8000, 0x3F82), (0x3F80_8001, 0x3F81),
    (0x3F80_7FFF, 0x3F80), (0x8000_0000, 0x8000), (0xBF81_8000, 0xBF82), (0x7F7F_7FFF, 0x7F7F),
    (0x7F7F_8000, 0x7F80), (0xFF7F_FFFF, 0xFF80), (0x7F80_0000, 0x7F80), (0xFF80_0000, 0xFF80),
    (0x0000_8000, 0x0000), (0x0000_8001, 0x0001), (0x0001_8000, 0x0002), (0x007F_FFFF, 0x0080),
    (0x7FC0_0000, 0x7FC0), (0x7F80_0001, 0x7FC0), (0xFFFF_FFFF, 0xFFFF),
  ]

  /// The pinned numbers among others, so that they meet every lane of a vector.
  private func values(_ count: Int) -> [Float] {
    numbers(count).enumerated().map { place, number in
      place.isMultiple(of: 3)
        ? Float(bitPattern: Self.pinned[place / 3 % Self.pinned.count].from) : number
    }
  }

  private typealias Rounding = (UnsafeMutablePointer<UInt16>, UnsafePointer<Float>, Int) -> Void

  @Test(arguments: [0, 1, 5, 32]) func `rounding gives the bits that it should`(_ shift: Int) {
    for round in [wt_to_bfloat16, wt_to_bfloat16_scalar] as [Rounding] {
      let padding = [Float](repeating: 1, count: shift)
      let values = padding + Self.pinned.map { Float(bitPattern: $0.from) }
      var found = [UInt16](repeating: 0, count: values.count)
      round(&found, values, values.count)
      for (bits, pinned) in zip(found.dropFirst(shift), Self.pinned) {
        #expect(bits == pinned.to, "\(String(pinned.from, radix: 16)): \(String(bits, radix: 16))")
      }
    }
  }

  @Test(arguments: awkwardSizes) func `rounding and widening do as their twins`(_ count: Int) {
    let values = values(count)
    var (fast, twin) = ([UInt16](repeating: 0, count: count), [UInt16](repeating: 0, count: count))
    wt_to_bfloat16(&fast, values, count)
    wt_to_bfloat16_scalar(&twin, values, count)
    #expect(fast == twin)
    var (wide, wideTwin) = (
      [Float](repeating: 0, count: count), [Float](repeating: 0, count: count)
    )
    wt_from_bfloat16(&wide, fast, count)
    wt_from_bfloat16_scalar(&wideTwin, fast, count)
    expectSame(wide, wideTwin)
    wt_round_to_bfloat16(&wide, values, count)
    expectSame(wide, wideTwin)
    wt_round_to_bfloat16_scalar(&wideTwin, values, count)
    expectSame(wide, wideTwin)
  }

  @Test func `every number widens as its twin does`() {
    let all = (0...UInt16.max).map { $0 }
    var (fast, twin) = (
      [Float](repeating: 0, count: all.count), [Float](repeating: 0, count: all.count)
    )
    wt_from_bfloat16(&fast, all, all.count)
    wt_from_bfloat16_scalar(&twin, all, all.count)
    expectSame(fast, twin)
  }

  /// Bit by bit, but for which NaN it is.
  private func expectSame(_ found: [Float], _ expected: [Float]) {
    let wrong = zip(found, expected).filter {
      $0.bitPattern != $1.bitPattern && !($0.isNaN && $1.isNaN)
    }
    #expect(wrong.isEmpty, "\(wrong.count), first \(wrong.first.map { "\($0)" } ?? "")")
  }
}
