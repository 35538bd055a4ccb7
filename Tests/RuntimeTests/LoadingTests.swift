import CKernels
import Formats
import Foundation
import Surgery
import TestSupport
import Testing

@testable import Networks
@testable import Numerics

/// How weights come from files.
struct LoadingTests {
  @Test(arguments: GoldenModel.stacks)
  func `mapped weights compute what read ones do`(_ golden: GoldenModel) throws {
    let models = try [false, true].map {
      try SegmentAnything(golden.plan(), path: golden.name, factors: .beside, maps: $0)
    }
    let input = try golden.input(models[0])
    for (left, right) in zip(models[0].forward(input), models[1].forward(input)) {
      #expect(left.tensor.values.map(\.bitPattern) == right.tensor.values.map(\.bitPattern))
    }
  }

  @Test func `a mapping holds the file's bytes and is private`() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(
      Array(
        try Data(
          contentsOf: URL(fileURLWithPath: Fixtures.path("runtime/prompt.model.safetensors")))),
      as: "model.safetensors")
    let file = try openCheckpoint(path)
    for (place, info) in file.tensors.enumerated() {
      let found = try file.mapped(place)
      let mapped = try #require(found)
      #expect(Array(mapped.bytes) == (try file.bytes(of: place)), "\(info.name)")
      for index in mapped.bytes.indices { mapped.bytes[index] = 0xFF }
      #expect(try file.bytes(of: place).contains { $0 != 0xFF })
    }
  }

  @Test func `a file that was cut before it is mapped is refused`() throws {
    let directory = try TemporaryDirectory()
    let source = Fixtures.path("runtime/prompt.model.safetensors")
    let path = directory.file("cut.safetensors")
    try FileManager.default.copyItem(atPath: source, toPath: path)
    let file = try openCheckpoint(path)
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.truncate(atOffset: UInt64(file.fileSize / 2))
    let error = #expect(throws: FormatError.self) { try file.mapped(0) }
    #expect(error?.code == .fileChanged)
  }

  @Test func `other containers and types are read`() throws {
    let torch = try openCheckpoint(Fixtures.path("torch/sam_tiny.pth"))
    #expect(try torch.mapped(0) == nil)
    let planned = try PlannedCheckpoint(GoldenModel(name: "masam-tt").plan(), path: "plan")
    #expect(try Tensor(mapping: planned, 0) != nil)
  }

  @Test func `every half and bfloat16 number becomes its own float`() throws {
    let halves = (0...UInt16.max).map { $0 }
    var (fast, slow) = ([Float](repeating: 0, count: 65_536), [Float](repeating: 0, count: 65_536))
    wt_from_float16(&fast, halves, halves.count)
    wt_from_float16_scalar(&slow, halves, halves.count)
    for (dtype, found) in [(DType.float16, fast), (.float16, slow), (.bfloat16, try brain(halves))]
    {
      let decoder = try #require(ElementDecoder(dtype))
      var place = 0
      halves.withUnsafeBytes { bytes in
        decoder.forEach(bytes) { expected in
          let number = found[place]
          let isSame =
            number.isNaN ? expected.isNaN : Double(number).bitPattern == expected.bitPattern
          if !isSame { Issue.record("\(dtype) \(halves[place]): \(number), not \(expected)") }
          place += 1
        }
      }
      #expect(place == halves.count)
    }
  }

  /// The numbers as a file of bfloat16 gives them, in pieces.
  private func brain(_ bits: [UInt16]) throws -> [Float] {
    let directory = try TemporaryDirectory()
    let info = try TensorInfo(name: "all", dtype: .bfloat16, shape: [4 * bits.count])
    let bytes = (0..<4).flatMap { _ in bits.withUnsafeBytes { Array($0) } }
    _ = try CheckpointWriter([info]) { _ in ByteReader(bytes) }
      .write(to: directory.file("all"), overwrite: false)
    let values = try Tensor(reading: openCheckpoint(directory.file("all")), 0).values
    return Array(values.suffix(bits.count))
  }
}

/// Hands out bytes in memory.
final class ByteReader: TensorReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let part = rest.prefix(buffer.count)
    buffer.copyBytes(from: part)
    rest = rest.dropFirst(part.count)
    return part.count
  }
}
