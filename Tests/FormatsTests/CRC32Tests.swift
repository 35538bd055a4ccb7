import CKernels
import Testing

@Suite("CRC-32 kernel")
struct CRC32Tests {
  @Test(arguments: [0, 1, 15, 16, 17, 33, 63, 64, 65, 79, 80, 127, 128, 143, 1000, 65_537])
  func `the folded kernel equals its scalar twin`(count: Int) {
    var state: UInt64 = 88_172_645_463_325_252
    let bytes = (0..<count + 3).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return UInt8(truncatingIfNeeded: state)
    }
    bytes.withUnsafeBytes { buffer in
      for start in 0...3 {
        let part = UnsafeRawBufferPointer(rebasing: buffer[start..<start + count])
        #expect(
          wt_crc32(0x1234_5678, part.baseAddress, count)
            == wt_crc32_scalar(0x1234_5678, part.baseAddress, count))
      }
    }
  }

  @Test func `the check value of the standard holds`() {
    let text = Array("123456789".utf8)
    #expect(wt_crc32(0, text, text.count) == 0xCBF4_3926)
  }
}
