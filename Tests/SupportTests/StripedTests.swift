import Foundation
import Support
import Synchronization
import Testing

struct StripedTests {
  @Test func `nothing that threads do to their parts is lost`() {
    let counts = Striped(0)
    // All live at the same time, as a thread may be where one was that ended.
    let (group, isOver) = (DispatchGroup(), DispatchSemaphore(value: 0))
    for _ in 0..<32 {
      group.enter()
      Thread.detachNewThread {
        for _ in 0..<1000 { counts.withOwn { $0 += 1 } }
        group.leave()
        isOver.wait()
      }
    }
    group.wait()
    for _ in 0..<32 { isOver.signal() }
    var (total, parts) = (0, 0)
    counts.withEach { count in
      total += count
      parts += count > 0 ? 1 : 0
    }
    #expect(total == 32_000)
    // That 32 threads meet in fewer than 8 of 64 parts is next to impossible if all are as likely.
    #expect(parts >= 8)
  }

  @Test func `a thread finds its part again`() {
    let places = Striped<[Int]>([])
    for place in 0..<100 { places.withOwn { $0.append(place) } }
    #expect(places.withOwn { $0 } == Array(0..<100))
  }
}
