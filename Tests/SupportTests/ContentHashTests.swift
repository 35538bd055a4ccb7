import Testing

@testable import Support

@Suite("Content hash")
struct ContentHashTests {
  @Test func `the digest is SHA-256's own of its standard's example`() {
    var lanes = ContentHashLanes(count: 1)
    Array("abc".utf8).withUnsafeBytes { lanes.update([$0]) }
    #expect(
      lanes.hexDigests() == ["ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"])
  }

  @Test(arguments: [0, 1, 55, 56, 63, 64, 65, 119, 128, 4096, 10_007])
  func `streams side by side have the digests that each has alone`(length: Int) {
    for count in [1, 3, 16] {
      let streams = (0..<count).map { stream in
        (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ stream &* 7) }
      }
      var lanes = ContentHashLanes(count: count)
      let cut = min(length, 64 * 20)
      for range in [0..<cut, cut..<length] where !range.isEmpty {
        let parts = streams.map { Array($0[range]) }
        parts.flatMap { $0 }.withUnsafeBytes { all in
          let size = range.count
          lanes.update(
            (0..<count).map {
              UnsafeRawBufferPointer(rebasing: all[$0 * size..<($0 + 1) * size])
            })
        }
      }
      #expect(lanes.hexDigests() == streams.map(digest))
    }
  }

  private func digest(_ bytes: [UInt8]) -> String {
    var hash = ContentHash()
    bytes.withUnsafeBytes { hash.update($0) }
    return hash.hexDigest()
  }
}
