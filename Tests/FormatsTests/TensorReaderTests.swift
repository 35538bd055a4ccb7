import Support
import TestSupport
import Testing

@testable import Formats

/// What the readers of tensors share.
@Suite("Tensor readers")
struct TensorReaderTests {
  /// Sixteen bytes hold the widest element; everything else must come from where readers stop.
  @Test(
    arguments: [
      "torch/strided.pth", "torch/big_endian.pth", "torch/conj_neg.pth", "torch/deflated.pth",
      "legacy/views.pth", "numpy/kinds_protocol2.pkl", "numpy/kinds_protocol5.pkl",
      "numpy/exchanged_protocol5.pkl", "numpy/fortran_protocol2.pkl", "npy/fortran_big.npy",
      "npz/deflated.npz", "sharded/model.safetensors.index.json",
    ], [16, 48, 4096])
  func `the size of the buffer does not matter`(name: String, size: Int) throws {
    let checkpoint = try openCheckpoint(Fixtures.path(name))
    for index in checkpoint.tensors.indices {
      let reader = try checkpoint.reader(of: index)
      var parts: [UInt8] = []
      try withChunk(of: size) { buffer in
        while case let count = try reader.read(into: buffer), count > 0 {
          parts += buffer.prefix(count)
          #expect(count == size || parts.count == checkpoint.tensors[index].byteCount)
        }
      }
      #expect(try parts == checkpoint.bytes(of: index))
    }
  }

  /// Each stride pattern against indices counted one by one.
  @Test(arguments: [
    ([2, 3, 4], [12, 4, 1]), ([2, 3, 4], [1, 2, 6]), ([4, 2, 3], [1, 12, 4]), ([3, 4], [0, 2]),
    ([5], [3]), ([], []), ([1, 4, 1], [9, 2, 7]), ([3, 1], [1, 1]), ([2, 2, 2], [3, 3, 1]),
  ])
  func `strided elements come in C order`(shape: [Int], strides: [Int]) throws {
    for dtype in [DType.uint8, .int16, .float32, .int64, .complex128] {
      let info = try TensorInfo(name: "a", dtype: dtype, shape: shape)
      let layout = try StridedLayout(info, strides: strides)
      let bytes = (0..<layout.span * layout.elementBytes).map {
        UInt8(truncatingIfNeeded: $0 &* 151 &+ 3)
      }
      let found = try StridedReader(bytes, layout).bytes(count: info.byteCount)
      #expect(found == Self.gathered(bytes, shape, strides, layout.elementBytes))
    }
  }

  /// The slow readable twin.
  private static func gathered(
    _ bytes: [UInt8], _ shape: [Int], _ strides: [Int], _ width: Int
  ) -> [UInt8] {
    (0..<shape.reduce(1, *)).flatMap { element -> ArraySlice<UInt8> in
      var (rest, place) = (element, 0)
      for (extent, stride) in zip(shape, strides).reversed() {
        place += rest % extent * stride
        rest /= extent
      }
      return bytes[place * width..<(place + 1) * width]
    }
  }

  @Test func `packed strides run from the last extent or the first`() {
    #expect(StridedLayout.packedStrides([2, 3, 4], isFortran: false) == [12, 4, 1])
    #expect(StridedLayout.packedStrides([2, 3, 4], isFortran: true) == [1, 2, 6])
    #expect(StridedLayout.packedStrides([], isFortran: true) == [])
    #expect(StridedLayout.packedStrides([.max, 0, .max], isFortran: false) == [0, 0, 0])
  }

  // MARK: - Pickles in files

  /// Long and short contents in turn, so that values lie across the window's edges.
  @Test func `a pickle in a file is the pickle in memory`() throws {
    let directory = try TemporaryDirectory()
    var bytes = PickleBuilder().op("(").bytes
    for index in 0..<300 {
      let count = index * 37 % 2_000
      bytes +=
        PickleBuilder([]).text(String(repeating: "t", count: count)).int(index)
        .bytes([UInt8](repeating: UInt8(index % 256), count: count * 41)).global("a", "b\(index)")
        .bytes
    }
    bytes += PickleBuilder([]).op("t").stop
    let file = try InputFile(directory.write(bytes, as: "a.pkl"))
    let (inFile, inMemory) = (
      try PickleMachine.parse(PickleInput(file)), try PickleMachine.parse(bytes)
    )
    #expect(inFile.strings == inMemory.strings)
    #expect(inFile.spans == inMemory.spans)
    #expect(inFile.globals == inMemory.globals)
    #expect(inFile.children(inFile.root).count == 1_200)
    for place in stride(from: 0, to: 1_200, by: 4) {
      let id = inFile.children(inFile.root)[place + 2]
      let span = try #require(inFile.span(id))
      #expect(try file.bytes(span) == Array(bytes[span]))
    }
  }

  @Test func `texts too long to be names stay in the file`() throws {
    let text = PickleBuilder().text(String(repeating: "n", count: 65_537))
    let document = try PickleMachine.parse(text.stop)
    #expect(document.string(document.root) == nil)
    #expect(document.span(document.root)?.count == 65_537)
    #expect(document.strings.isEmpty)
    let error = #expect(throws: FormatError.self) {
      try PickleMachine.parse(text.text("x").op(0x93).stop)
    }
    #expect(error?.code == .lineTooLong)
  }

  @Test func `several pickles are read one after another`() throws {
    let bytes = PickleBuilder().int(1).stop + PickleBuilder([0x80, 4]).int(2).stop
    var input = PickleInput(bytes)
    for value in [1, 2] {
      let document = try PickleMachine.parseNext(&input)
      #expect(document.integer(document.root) == value)
    }
    #expect(input.isAtEnd)
  }
}
