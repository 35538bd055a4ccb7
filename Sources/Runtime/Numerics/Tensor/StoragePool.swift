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
  }

  private let state = Mutex(State())

  public init() {}

  deinit { trim() }

  /// Memory of at least this size, aligned to 64 bytes.
  public func storage(byteCount: Int) -> TensorStorage {
    let size = Self.bucket(byteCount)
    let kept = state.withLock { state -> UInt? in
      guard let address = state.free[size]?.popLast() else { return nil }
      state.freeBytes -= size
      return address
    }
    let address =
      kept.flatMap(UnsafeMutableRawPointer.init(bitPattern:))
      ?? .allocate(byteCount: size, alignment: 64)
    return TensorStorage(address, byteCount: size) { [self] address, size in
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
