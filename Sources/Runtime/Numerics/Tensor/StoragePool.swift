import Synchronization

/// Keeps the memory of tensors that are gone for those to come.
///
/// Fresh memory costs a page fault every 4 KiB, more than the arithmetic on it. What is handed out
/// holds whatever was there before.
public final class StoragePool: Sendable {
  public static let shared = StoragePool()

  private struct State {
    /// By size; addresses as numbers, as only one owner at a time makes a pointer of them.
    var free: [Int: [UInt]] = [:]
    var freeBytes = 0

    /// A free piece of this size, else the smallest that is at most half as large again: parts of a model
    /// need memory of other sizes, and would otherwise each keep their own.
    mutating func take(_ size: Int) -> (address: UInt, size: Int)? {
      if let address = pop(size) { return (address, size) }
      let fitting = free.filter { (size...size + size / 2).contains($0.key) && !$0.value.isEmpty }
      guard let best = fitting.keys.min(), let address = pop(best) else { return nil }
      return (address, best)
    }

    private mutating func pop(_ size: Int) -> UInt? {
      guard let address = free[size]?.popLast() else { return nil }
      freeBytes -= size
      return address
    }
  }

  private let state = Mutex(State())

  public init() {}

  deinit { trim() }

  /// Memory of at least this size, aligned to 64 bytes.
  public func storage(byteCount: Int) -> TensorStorage {
    let wanted = Self.bucket(byteCount)
    let kept = state.withLock { $0.take(wanted) }
    let address =
      kept.flatMap { UnsafeMutableRawPointer(bitPattern: $0.address) }
      ?? .allocate(byteCount: wanted, alignment: 64)
    return TensorStorage(address, byteCount: kept?.size ?? wanted) { [self] address, size in
      keep(UInt(bitPattern: address), size)
    }
  }

  private func keep(_ address: UInt, _ size: Int) {
    state.withLock {
      $0.free[size, default: []].append(address)
      $0.freeBytes += size
    }
  }

  /// Gives all memory that nobody uses back to the system.
  public func trim() {
    let addresses = state.withLock { state in
      defer { state = State() }
      return state.free.values.flatMap { $0 }
    }
    for address in addresses { UnsafeMutableRawPointer(bitPattern: address)?.deallocate() }
  }

  /// The bytes that are kept for later.
  public var freeByteCount: Int { state.withLock { $0.freeBytes } }

  /// Sizes are rounded up to an eighth of their power of two, so that similar ones share memory.
  public static func bucket(_ byteCount: Int) -> Int {
    let minimum = 4096
    guard byteCount > minimum else { return minimum }
    let step = 1 << (Int.bitWidth - 1 - byteCount.leadingZeroBitCount - 3)
    return (byteCount + step - 1) / step * step
  }
}
