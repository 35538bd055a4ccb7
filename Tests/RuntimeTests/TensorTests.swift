import Foundation
import Synchronization
import Testing

@testable import Numerics

struct TensorTests {
  @Test(arguments: [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]])
  func `a permuted tensor has every number at its new place`(_ axes: [Int]) {
    let x = tensor(3, 5, 7)
    let y = x.permuted(axes)
    let (from, to) = (x.values, y.values)
    for place in 0..<105 {
      let index = [place / 35, place / 7 % 5, place % 7]
      let moved = axes.map { index[$0] }
      let target = (moved[0] * y.shape[1] + moved[1]) * y.shape[2] + moved[2]
      #expect(to[target] == from[place])
    }
  }

  /// Axes of one index, neighbours that are one axis in memory, views, and rows longer than a piece.
  @Test(arguments: [
    ([4, 5, 3, 1, 1], [2, 0, 1, 3, 4]), ([1, 6, 1, 7], [3, 1, 0, 2]),
    ([2, 3, 4, 5], [0, 1, 2, 3]),
    ([2, 3, 4, 5], [2, 3, 0, 1]), ([1], [0]), ([1, 1], [1, 0]), ([2, 140_001], [0, 1]),
    ([140_001, 2], [1, 0]), ([3, 0, 2], [2, 1, 0]), ([3, 2, 70_000], [1, 0, 2]),
  ])
  func `permuting is the same however axes lie in memory`(_ shape: [Int], _ axes: [Int]) {
    let whole = Tensor(numbers(shape.reduce(3, *), seed: 4), shape: [3] + shape)
    // A view of the second of three, and one that leaves out the ends of its first axis.
    for x in [whole[1], whole[2].narrowed(0, shape[0] / 3..<shape[0])] {
      let (y, from) = (x.permuted(axes), x.pointer)
      let found = y.values
      var wrong = 0
      for place in 0..<y.count {
        var (rest, source) = (place, 0)
        for axis in axes.indices.reversed() {
          source += rest % y.shape[axis] * x.strides[axes[axis]]
          rest /= y.shape[axis]
        }
        if found[place] != from[source] { wrong += 1 }
      }
      #expect(wrong == 0)
      withExtendedLifetime(whole) {}
    }
  }

  @Test func `views of any axis read what lies there`() {
    let x = tensor(4, 6, 5)
    let view = x.narrowed(1, 2..<4)
    #expect(!view.isPacked && view.shape == [4, 2, 5])
    let all = x.values
    let expected = (0..<40).map { place -> Float in
      let row = place / 10 * 6 + place / 5 % 2 + 2
      return all[row * 5 + place % 5]
    }
    #expect(view.values == expected)
    #expect(x[2].values == Array(x.values[60..<90]))
  }

  @Test func `tensors join along an axis, and a sum repeats the smaller one`() {
    let (a, b) = (tensor(2, 1, 3), tensor(2, 2, 3, seed: 2))
    let joined = Tensor.concatenated([a, b], axis: 1)
    #expect(joined.shape == [2, 3, 3])
    #expect(joined.narrowed(1, 0..<1).values == a.values)
    #expect(joined.narrowed(1, 1..<3).values == b.values)
    let row = tensor(3, seed: 3)
    let sum = joined + row
    for place in 0..<18 {
      #expect(sum.values[place] == joined.values[place] + row.values[place % 3])
    }
  }

  @Test func `a free piece serves what needs up to two thirds of it`() {
    let pool = StoragePool()
    let sizes = [60_000, 120_000, 90_000]
    var pieces = sizes.map { pool.storage(byteCount: $0) }
    let addresses = pieces.map(\.address)
    let buckets = sizes.map(StoragePool.bucket)
    pieces = []
    #expect(pool.freeByteCount == buckets.reduce(0, +))
    // The smallest that fits, not the first; its whole size is its own until it is free again.
    let small = pool.storage(byteCount: 65_000)
    #expect(small.address == addresses[2] && small.byteCount == buckets[2])
    #expect(pool.freeByteCount == buckets[0] + buckets[1])
    // What is left is too small, or more than half as large again.
    let other = pool.storage(byteCount: 70_000)
    #expect(!addresses.contains(other.address) && other.byteCount == StoragePool.bucket(70_000))
    withExtendedLifetime((small, other)) {}
  }

  @Test func `what other threads gave back serves this one`() {
    let pool = StoragePool()
    let sizes = (12..<20).map { 1 << $0 }
    let given = Mutex<Set<UInt>>([])
    let (areFree, canEnd) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    // All alive at once, as two that lived one after the other might have the same part.
    for size in sizes {
      Thread.detachNewThread {
        let address = UInt(bitPattern: pool.storage(byteCount: size).address)
        given.withLock { _ = $0.insert(address) }
        areFree.signal()
        canEnd.wait()
      }
    }
    for _ in sizes { areFree.wait() }
    let pieces = sizes.map { pool.storage(byteCount: $0) }
    #expect(given.withLock { $0 } == Set(pieces.map { UInt(bitPattern: $0.address) }))
    for _ in sizes { canEnd.signal() }
  }

  /// More than a thread keeps to itself: what its part hands over is not lost.
  @Test func `pieces of many sizes are all free, and found again`() {
    let pool = StoragePool()
    // None fits in the place of another: from 4 KiB to 4 MiB, eight of each.
    let sizes = (12...22).flatMap { Array(repeating: 1 << $0, count: 8) }
    var pieces = sizes.map { pool.storage(byteCount: $0) }
    let addresses = Set(pieces.map(\.address))
    let total = pieces.reduce(0) { $0 + $1.byteCount }
    #expect(total > 1 << 25 && addresses.count == sizes.count)
    pieces = []
    #expect(pool.freeByteCount == total)
    pieces = sizes.map { pool.storage(byteCount: $0) }
    #expect(pool.freeByteCount == 0 && Set(pieces.map(\.address)) == addresses)
  }

  /// Small ones, which threads keep to themselves, and large ones; some that another thread gives back.
  @Test func `no piece is two threads' at once`() {
    let pool = StoragePool()
    let left = Mutex<[TensorStorage]>([])
    let wrong = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 64) { index in
      for round in 0..<200 {
        let bytes = (round + index).isMultiple(of: 10) ? 5 << 20 : 4096 * (1 + round % 7)
        let piece = pool.storage(byteCount: bytes)
        let numbers = piece.address.assumingMemoryBound(to: Int.self)
        let places = [0, bytes / 16, bytes / 8 - 1]
        for place in places { numbers[place] = index }
        if round % 3 == 0 { _ = left.withLock { $0.popLast() } }
        if places.contains(where: { numbers[$0] != index }) { wrong.add(1, ordering: .relaxed) }
        if round % 5 == 0 { left.withLock { $0.append(piece) } }
      }
    }
    #expect(wrong.load(ordering: .relaxed) == 0)
    left.withLock { $0 = [] }
    #expect(pool.freeByteCount > 5 << 20)
    pool.trim()
    #expect(pool.freeByteCount == 0)
  }

  @Test func `memory that is given back is handed out again, but never twice`() {
    let pool = StoragePool()
    var first: TensorStorage? = pool.storage(byteCount: 5000)
    let address = first?.address
    let second = pool.storage(byteCount: 5000)
    #expect(second.address != address)
    first = nil
    #expect(pool.freeByteCount == StoragePool.bucket(5000))
    let third = pool.storage(byteCount: 5100)
    #expect(third.address == address && pool.freeByteCount == 0)
    withExtendedLifetime((first, second, third)) {}
  }
}
