/// Writes pickles and their archives opcode by opcode, so that a test reads like the attack.
public struct PickleBuilder: Sendable {
  public var bytes: [UInt8]

  public init(_ bytes: [UInt8] = [0x80, 2]) { self.bytes = bytes }

  public func op(_ codes: UInt8...) -> PickleBuilder { PickleBuilder(bytes + codes) }
  public func op(_ text: String) -> PickleBuilder { PickleBuilder(bytes + Array(text.utf8)) }

  public func text(_ value: String) -> PickleBuilder {
    let utf8 = Array(value.utf8)
    return PickleBuilder(bytes + [0x58] + Self.u32(utf8.count) + utf8)
  }

  public func int(_ value: Int) -> PickleBuilder {
    let bits = UInt64(bitPattern: Int64(value))
    return PickleBuilder(
      bytes + [0x8A, 8] + (0..<8).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) })
  }

  public func global(_ module: String, _ name: String) -> PickleBuilder {
    op("c\(module)\n\(name)\n")
  }

  public func tuple(_ content: (PickleBuilder) -> PickleBuilder) -> PickleBuilder {
    content(op("(")).op("t")
  }

  public func ints(_ values: [Int]) -> PickleBuilder {
    tuple { values.reduce($0) { $0.int($1) } }
  }

  /// - Parameter more: what stands behind the five fields of a torch archive.
  public func storage(
    _ type: String = "FloatStorage", key: String = "0", count: Int = 4,
    more: (PickleBuilder) -> PickleBuilder = { $0 }
  ) -> PickleBuilder {
    storageCounted(type, key: key) { more($0.int(count)) }
  }

  /// A storage whose count may be no number.
  public func storageCounted(
    _ type: String = "FloatStorage", key: String = "0", _ count: (PickleBuilder) -> PickleBuilder
  ) -> PickleBuilder {
    tuple {
      count($0.text("storage").global("torch", type).text(key).text("cpu"))
    }.op("Q")
  }

  /// A call of `_rebuild_tensor_v2`.
  public func tensor(
    _ type: String = "FloatStorage", key: String = "0", count: Int = 4, offset: Int = 0,
    size: [Int] = [4], strides: [Int] = [1], more: (PickleBuilder) -> PickleBuilder = { $0 }
  ) -> PickleBuilder {
    global("torch._utils", "_rebuild_tensor_v2").tuple {
      $0.storage(type, key: key, count: count, more: more).int(offset).ints(size).ints(strides)
        .op(0x89).op("}")
    }.op("R")
  }

  /// A dictionary of one value.
  public func dict(_ key: String = "a", _ value: (PickleBuilder) -> PickleBuilder) -> PickleBuilder
  {
    value(op("}").text(key)).op("s")
  }

  public var stop: [UInt8] { bytes + [0x2E] }

  public static func u32(_ value: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}
