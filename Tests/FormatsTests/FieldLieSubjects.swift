import TestSupport
import Testing

@testable import Formats

/// A small file of one format and the numbers in its headers.
struct FieldLieSubject: Sendable {
  var bytes: [UInt8]
  var fields: [IntegerField]
  /// Whether the format says things twice, or has checksums: then no lie may change a tensor.
  var isGuarded: Bool
  /// Makes a file of the bytes once a lie is in them: lengths and checksums around it are right.
  var wrap: @Sendable ([UInt8]) -> [UInt8] = { $0 }
  /// Whether there are too many lies for every run of the tests.
  var isSampled = false
  /// Whether the numbers only advise, so that none need be refused.
  var isAdvisory = false
  /// What must lie beside the file.
  var companions: [String: [UInt8]] = [:]

  /// Every subject by name, made when it is asked for.
  static let makers: [String: @Sendable () throws -> Self] = [
    "torch archive": { try archive("torch/plain_protocol2.pth") },
    "torch archive, deflated": { try archive("torch/deflated.pth") },
    "torch archive, zip64": { try archive("torch/zip64.pth") },
    "npz": { try archive("npz/small_stored.npz") },
    "npz, deflated": { try archive("npz/small_deflated.npz") },
    "pickle of a torch archive": {
      let pickle = PickleBuilder().dict("a") { $0.tensor(size: [2, 2], strides: [2, 1]) }.stop
      return Self(
        bytes: pickle, fields: PickleFields.fields(of: pickle), isGuarded: false,
        wrap: { ZipBuilder.torch($0).build() })
    },
    "every opcode with a number": { pickle(everyOpcode) },
    "numpy pickle, protocol 2": { try pickle(recorded("numpy/nested_protocol2.pkl")) },
    "numpy pickle, protocol 4": { try pickle(recorded("numpy/nested_protocol4.pkl")) },
    "numpy pickle, protocol 5": { try pickle(recorded("numpy/nested_protocol5.pkl")) },
    "torch stream": { try stream(recorded("legacy/single.pth"), storages: []) },
    "torch stream of two storages": {
      var builder = TorchStreamBuilder {
        $0.tensor { $0.op("N") }.op("s").text("b").tensor(key: "1") { $0.op("N") }
      }
      builder.keys = PickleBuilder().op("]").text("0").op("a").text("1").op("a").stop
      builder.storages.append(.init())
      return stream(builder.build(), storages: [16])
    },
    "safetensors length": {
      let bytes = try recorded("safetensors/metadata.safetensors")
      return Self(bytes: bytes, fields: [IntegerField("length", 0..<8)], isGuarded: true)
    },
    "safetensors header": { try safeTensors("safetensors/metadata.safetensors") },
    "safetensors header of every type": { try safeTensors("safetensors/dtypes.safetensors") },
    "npy 1": { try npy("npy/version1.npy", width: 2) },
    "npy 2": { try npy("npy/version2.npy", width: 4) },
    "npy 3": { try npy("npy/version3.npy", width: 4) },
    "npy header": {
      let text = Array(NpyBuilder(shape: "(2, 2)").text.utf8)
      return Self(
        bytes: text, fields: FieldWalker.decimals(in: text), isGuarded: false,
        wrap: { NpyBuilder(String(decoding: $0, as: UTF8.self)).build() })
    },
    "zstd": {
      let frame = try recorded("compressed/metadata.safetensors.zst")
      return Self(bytes: frame, fields: FrameFields.zstd(frame), isGuarded: true)
    },
    "gzip": {
      let content = CompressionRowTests.inner
      let member = CompressionBuilder.gzip(content, flags: 4, extra: [4, 0, 1, 2, 0, 0])
      return Self(bytes: member, fields: FrameFields.gzip(member), isGuarded: true)
    },
    "shard index": {
      let index = Array(ShardRowTests.good.utf8)
      return Self(
        bytes: index, fields: FieldWalker.decimals(in: index), isGuarded: true, isAdvisory: true,
        companions: [
          "1.safetensors": ShardRowTests.shard(["a"]), "2.safetensors": ShardRowTests.shard(["b"]),
        ])
    },
    "hdf5, symbol tables": { try hdf5("layouts") },
    "hdf5, chunk tree": { try hdf5("chunked") },
    "hdf5, newer chunk indices": { try hdf5("chunked_new") },
    "hdf5, newer groups and heaps": { try hdf5("nested_new") },
    "hdf5, links": { try hdf5("links") },
  ]

  private static func recorded(_ name: String) throws -> [UInt8] {
    try InputFile(Fixtures.path(name)).allBytes()
  }

  private static func archive(_ name: String) throws -> Self {
    let bytes = try recorded(name)
    return Self(bytes: bytes, fields: ZipFields.fields(of: bytes), isGuarded: true)
  }

  private static func pickle(_ bytes: [UInt8]) -> Self {
    Self(bytes: bytes, fields: PickleFields.fields(of: bytes), isGuarded: false)
  }

  /// Five pickles, then each storage's count and bytes.
  private static func stream(_ bytes: [UInt8], storages: [Int]) -> Self {
    var walker = FieldWalker(bytes)
    for _ in 0..<5 { PickleFields.walk(&walker) }
    for count in storages {
      walker.field("count of a storage", 8)
      walker.skip(count)
    }
    walker.field("count of the last storage", 8)
    return Self(bytes: bytes, fields: walker.fields, isGuarded: false)
  }

  private static func safeTensors(_ name: String) throws -> Self {
    let bytes = try recorded(name)
    let length = bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    let (json, data) = (Array(bytes[8..<8 + length]), bytes[(8 + length)...])
    return Self(
      bytes: json, fields: FieldWalker.decimals(in: json), isGuarded: false,
      wrap: { SafeTensorsRowTests.file($0, data: 0) + data })
  }

  private static func npy(_ name: String, width: Int) throws -> Self {
    var walker = FieldWalker(try recorded(name), at: 6)
    for field in ["major", "minor"] { walker.field(field, 1) }
    walker.field("header length", width)
    return Self(bytes: walker.bytes, fields: walker.fields, isGuarded: false)
  }

  /// Two arrays with every opcode that carries a number around them.
  private static let everyOpcode: [UInt8] = {
    let values: [[UInt8]] = [
      [0x4B, 7], [0x4D, 7, 1], [0x4A, 7, 0, 0, 1], [0x8A, 2, 7, 1], [0x8B, 2, 0, 0, 0, 7, 1],
      [0x55, 1, 0x61], [0x54, 1, 0, 0, 0, 0x61], [0x58, 1, 0, 0, 0, 0x61], [0x8C, 1, 0x61],
      [0x8D, 1, 0, 0, 0, 0, 0, 0, 0, 0x61], [0x43, 1, 9], [0x42, 1, 0, 0, 0, 9],
      [0x8E, 1, 0, 0, 0, 0, 0, 0, 0, 9], [0x96, 1, 0, 0, 0, 0, 0, 0, 0, 9],
      [0x4E, 0x71, 5], [0x4E, 0x72, 6, 0, 0, 0], [0x68, 5], [0x6A, 6, 0, 0, 0],
    ]
    let list = PickleBuilder([]).op("](").array().buffer().bytes + values.joined() + [0x65, 0x2E]
    let size = (0..<8).map { UInt8(truncatingIfNeeded: list.count >> (8 * $0)) }
    return [0x80, 5, 0x95] + size + list
  }()

  /// Where numbers of a width may stand: not in the midst of zeros, which is unused room.
  private static func places(in bytes: [UInt8], width: Int) -> [IntegerField] {
    var fields: [IntegerField] = []
    for start in 0...bytes.count - width {
      let near = bytes[max(0, start - 8)..<start + width]
      guard near.contains(where: { $0 != 0 }) else { continue }
      fields.append(IntegerField("\(width) bytes at \(start)", start..<start + width))
    }
    return fields
  }

  /// Nobody can say of each byte of HDF5 which number it belongs to, so every place is taken for
  /// one of every width.
  private static func hdf5(_ name: String) throws -> Self {
    let bytes = try recorded("hdf5/\(name).h5")
    let checksums = HDF5Checksums(bytes)
    let fields = [1, 2, 4, 8].flatMap { places(in: bytes, width: $0) }
    return Self(
      bytes: bytes, fields: fields, isGuarded: false,
      wrap: {
        var repaired = $0
        checksums.repair(&repaired)
        return repaired
      }, isSampled: true)
  }
}
