/// Writes streams of torch before version 1.6, part by part, so that each can be a lie.
public struct TorchStreamBuilder: Sendable {
  public struct Storage: Sendable {
    /// What the header before the bytes says.
    public var count: Int
    public var bytes: [UInt8]

    public init(count: Int = 4, _ bytes: [UInt8] = [UInt8](1...16)) {
      self.count = count
      self.bytes = bytes
    }
  }

  public static let magicNumber: [UInt8] = [
    0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19,
  ]

  public var magic = PickleBuilder([0x80, 2] + magicNumber).stop
  public var version = PickleBuilder().int(1001).stop
  public var system = PickleBuilder().dict("little_endian") { $0.op(0x88) }.stop
  public var object: [UInt8]
  public var keys = PickleBuilder().op("]").text("0").op("a").stop
  public var storages = [Storage()]
  public var suffix: [UInt8] = []

  public init(_ object: [UInt8]) { self.object = object }

  /// A stream of one tensor named `a` in storage 0.
  public init(_ value: (PickleBuilder) -> PickleBuilder = { $0.tensor { $0.op("N") } }) {
    object = PickleBuilder().dict("a", value).stop
  }

  public func build() -> [UInt8] {
    let contents = storages.flatMap { storage in
      (0..<8).map { UInt8(truncatingIfNeeded: storage.count >> (8 * $0)) } + storage.bytes
    }
    return magic + version + system + object + keys + contents + suffix
  }
}
