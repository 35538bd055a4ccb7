/// What numpy writes into pickles and `.npy` files, every field of which can be a lie.
extension PickleBuilder {
  public func bytes(_ content: [UInt8]) -> PickleBuilder {
    PickleBuilder(bytes + [0x42] + Self.u32(content.count) + content)
  }

  /// What protocol 2 writes in place of bytes.
  public func encoded(_ text: String, as encoding: String = "latin1") -> PickleBuilder {
    global("_codecs", "encode").tuple { $0.text(text).text(encoding) }.op("R")
  }

  /// `numpy.dtype(spelling, False, True)` without its state.
  public func bareDType(_ spelling: String) -> PickleBuilder {
    global("numpy", "dtype").tuple { $0.text(spelling).op(0x89, 0x88) }.op("R")
  }

  /// A dtype with its state.
  public func dtype(
    _ spelling: String = "f4", version: Int = 3, order: String = "<", itemSize: Int = -1,
    fields: (PickleBuilder) -> PickleBuilder = { $0.op("NNN") }
  ) -> PickleBuilder {
    bareDType(spelling).tuple {
      fields($0.int(version).text(order)).int(itemSize).int(-1).int(0)
    }.op("b")
  }

  /// The shell of an array that a state fills.
  public func shell(_ type: String = "ndarray", core: String = "numpy._core") -> PickleBuilder {
    global(core + ".multiarray", "_reconstruct").tuple {
      $0.global("numpy", type).ints([0]).bytes([0x62])
    }.op("R")
  }

  /// An array as protocols up to 4 write it.
  ///
  /// - Parameters:
  ///   - order: NEWFALSE is C order, NEWTRUE Fortran's.
  ///   - data: sixteen bytes if not given.
  public func array(
    version: Int = 1, shape: [Int] = [4], order: UInt8 = 0x89,
    type: (PickleBuilder) -> PickleBuilder = { $0.dtype() },
    data: (PickleBuilder) -> PickleBuilder = { $0.bytes([UInt8](1...16)) }
  ) -> PickleBuilder {
    shell().tuple { data(type($0.int(version).ints(shape)).op(order)) }.op("b")
  }

  /// An array as protocol 5 writes it.
  public func buffer(
    shape: [Int] = [4], data: [UInt8] = [UInt8](1...16), order: String = "C",
    more: (PickleBuilder) -> PickleBuilder = { $0 }
  ) -> PickleBuilder {
    global("numpy._core.numeric", "_frombuffer").tuple {
      more($0.bytes(data).dtype().ints(shape).text(order))
    }.op("R")
  }

  public func scalar(_ content: [UInt8], _ spelling: String = "f4") -> PickleBuilder {
    global("numpy._core.multiarray", "scalar").tuple { $0.dtype(spelling).bytes(content) }.op("R")
  }
}

/// Writes `.npy` files.
public struct NpyBuilder: Sendable {
  public var text: String
  public var version: [UInt8] = [1, 0]
  /// What the header's length field says, if not the truth.
  public var length: Int?
  public var data: [UInt8]

  public init(_ text: String, data: [UInt8] = [UInt8](1...16)) {
    self.text = text
    self.data = data
  }

  /// A header of the usual three fields.
  public init(
    descr: String = "'<f4'", fortran: String = "False", shape: String = "(4,)",
    data: [UInt8] = [UInt8](1...16)
  ) {
    self.init("{'descr': \(descr), 'fortran_order': \(fortran), 'shape': \(shape), }\n", data: data)
  }

  public func build() -> [UInt8] {
    let header = Array(text.utf8)
    let width = version[0] == 1 ? 2 : 4
    let field = (0..<width).map { UInt8(truncatingIfNeeded: (length ?? header.count) >> (8 * $0)) }
    return [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59] + version + field + header + data
  }
}
