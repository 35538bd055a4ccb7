import Support
import Synchronization

/// Keeps the memory of tensors that are gone for those to come.
///
/// Fresh memory costs a page fault every 4 KiB, more than the arithmetic on it. What is handed out
/// holds whatever was there before.
public final class StoragePool: Sendable {
  public static let shared = StoragePool()

  private struct State: Sendable {
    /// By size; addresses as numbers, as only one owner at a time makes a pointer of them.
    var free: [Int: [UInt]] = [:]
    var freeBytes = 0

    /// A free piece of this size, else the smallest that is at most half as large again: parts of a model
    /// need memory of other sizes, and would otherwise each keep their own.
    mutating func take(_ size: Int) -> (address: UInt, size: Int)? {
      if let address = pop(size) { return (address, size) }
      let fitting = free.lazy.filter {
        (size...size + size / 2).contains($0.key) && !$0.value.isEmpty
      }
      guard let best = fitting.map(\.key).min(), let address = pop(best) else { return nil }
      return (address, best)
    }

    mutating func keep(_ address: UInt, _ size: Int) {
      free[size, default: []].append(address)
      freeBytes += size
    }

    /// By size.
    mutating func takeAll() -> [Int: [UInt]] {
      defer { self = State() }
      return free
    }

    private mutating func pop(_ size: Int) -> UInt? {
      guard let address = free[size]?.popLast() else { return nil }
      freeBytes -= size
      return address
    }
  }

  /// What threads take for a moment and give back, so that they need not wait for each other.
  private let own = Striped(State())
  /// All else, and what `own` has not.
  private let common = Mutex(State())

  /// Of pieces that a thread keeps, and of all of them together.
  private static let (ownPiece, ownTotal) = (1 << 22, 1 << 24)

  public init() {}

  deinit { trim() }

  /// Memory of at least this size, aligned to 64 bytes.
  public func storage(byteCount: Int) -> TensorStorage {
    let wanted = Self.bucket(byteCount)
    let kept = free(wanted)
    let address =
      kept.flatMap { UnsafeMutableRawPointer(bitPattern: $0.address) }
      ?? .allocate(byteCount: wanted, alignment: 64)
    return TensorStorage(address, byteCount: kept?.size ?? wanted) { [self] address, size in
      keep(UInt(bitPattern: address), size)
    }
  }

  /// What other threads have is looked at last, as fresh memory costs more than their locks do.
  private func free(_ wanted: Int) -> (address: UInt, size: Int)? {
    guard wanted <= Self.ownPiece else { return common.withLock { $0.take(wanted) } }
    return own.withOwn { $0.take(wanted) } ?? common.withLock { $0.take(wanted) }
      ?? own.first { $0.take(wanted) }
  }

  private func keep(_ address: UInt, _ size: Int) {
    guard size <= Self.ownPiece else { return common.withLock { $0.keep(address, size) } }
    // A part that is full makes room, or sizes that nobody wants any more would keep others out.
    let surplus = own.withOwn { state in
      let surplus = state.freeBytes + size > Self.ownTotal ? state.takeAll() : [:]
      state.keep(address, size)
      return surplus
    }
    guard !surplus.isEmpty else { return }
    common.withLock { state in
      for (size, addresses) in surplus { for address in addresses { state.keep(address, size) } }
    }
  }

  /// Gives all memory that nobody uses back to the system.
  public func trim() {
    var addresses = common.withLock { $0.takeAll().values.flatMap { $0 } }
    own.withEach { addresses += $0.takeAll().values.flatMap { $0 } }
    for address in addresses { UnsafeMutableRawPointer(bitPattern: address)?.deallocate() }
  }

  /// The bytes that are kept for later.
  public var freeByteCount: Int {
    var count = common.withLock { $0.freeBytes }
    own.withEach { count += $0.freeBytes }
    return count
  }

  /// Sizes are rounded up to an eighth of their power of two, so that similar ones share memory.
  public static func bucket(_ byteCount: Int) -> Int {
    let minimum = 4096
    guard byteCount > minimum else { return minimum }
    let step = 1 << (Int.bitWidth - 1 - byteCount.leadingZeroBitCount - 3)
    return (byteCount + step - 1) / step * step
  }
}
