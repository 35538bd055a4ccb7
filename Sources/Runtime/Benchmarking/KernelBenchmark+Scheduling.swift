import Dispatch
import Foundation
import Numerics
import Support
import Synchronization

extension KernelBenchmark {
  /// What is left of a product when there is next to nothing to multiply, on one thread, on two, and on more
  /// than most machines have processors.
  ///
  /// It is all that threads share: who does which piece, the pool of memory, the table of compiled products.
  func scheduling() -> [KernelTiming] { [handingOut()] + [1, 2, 64].map(smallProducts) }

  /// What handing out pieces costs when there is nothing to do in them: it must stay far below a panel of
  /// a product, about a millisecond, however many threads ask.
  private func handingOut() -> KernelTiming {
    let pieces = 100_000
    return timing("pieces of no work", [pieces], operations: nil, numbers: nil) {
      parallelFor(count: pieces) { _ in }
    }
  }

  private func smallProducts(threads: Int) -> KernelTiming {
    // So many that starting the threads does not show.
    let (pieces, width) = (200_000, 16)
    let input = Tensor(repeating: 0.5, shape: [1, width])
    let weight = Tensor(repeating: 0.5, shape: [width, width])
    let outputs = Tensor(uninitialised: [threads, width])
    defer { withExtendedLifetime((input, weight, outputs)) {} }
    let (row, view, results) = (input.matrix, WeightView.float(weight.matrix), outputs.matrix)
    return timing(
      "smallest products, \(threads) thread\(threads == 1 ? "" : "s")", [pieces, 1, width, width],
      operations: nil, numbers: nil
    ) {
      let next = Counter()
      onThreads(threads) { thread in
        while case let piece = next.value.add(1, ordering: .relaxed).oldValue, piece < pieces {
          // As long as attention's, which asks for several.
          let buffer = Tensor(uninitialised: [1 << (10 + piece % 10)])
          Kernels.linearPanel(row, view, bias: nil, into: results.rows(thread..<thread + 1))
          withExtendedLifetime(buffer) {}
        }
      }
    }
  }

  /// Runs on that many threads of their own, as `parallelFor` starts none beyond the processors, and waits.
  private func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let group = DispatchGroup()
    for index in 0..<count {
      group.enter()
      Thread.detachNewThread {
        body(index)
        group.leave()
      }
    }
    group.wait()
  }
}

/// Threads of their own may hold it a moment longer than anybody waits for them.
private final class Counter: Sendable {
  let value = Atomic<Int>(0)
}
