import Foundation
import Support
import Testing

@Suite("Memory of a process")
struct MemoryTests {
  @Test func `the peak grows with what is touched, and is below all that processes had together`() {
    let before = peakResidentBytes
    let count = 64 << 20
    let bytes = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 4096)
    defer { bytes.deallocate() }
    memset(bytes, 1, count)
    let after = peakResidentBytes
    // Other tests touch and give back memory meanwhile: the peak may have been higher already.
    #expect(after >= max(before, count))
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    // The kernel's two figures are taken page counts apart.
    #expect(after <= Int(usage.ru_maxrss) * 1024 + (8 << 20))
  }
}
