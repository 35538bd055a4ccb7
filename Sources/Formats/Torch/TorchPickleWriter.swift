import Support

/// Writes the pickle that describes a state dict, with opcodes that every weights-only loader knows.
///
/// Protocol 2, as `torch.save` writes it; source: torch/serialization.py and torch/_tensor.py
/// (`_reduce_ex_internal`).
struct TorchPickleWriter {
  private(set) var bytes: [UInt8] = [0x80, 2]
  /// Where names that recur are remembered.
  private var memo: [String: UInt8] = [:]

  /// The pickle of an `OrderedDict` whose values lie in the planned storages.
  ///
  /// - Throws: `FormatError` with code `unsupportedDtype`.
  static func stateDict(_ tensors: [TensorInfo], _ plan: TorchStoragePlan) throws -> [UInt8] {
    var writer = TorchPickleWriter()
    writer.orderedDict()
    writer.op(.mark)
    for (tensor, place) in zip(tensors, plan.places) {
      writer.text(tensor.name.text)
      try writer.tensor(
        tensor, storage: place.storage, byteCount: plan.storages[place.storage].byteCount,
        offset: place.offset)
    }
    writer.op(.setItems)
    writer.op(.stop)
    return writer.bytes
  }

  private mutating func tensor(
    _ tensor: TensorInfo, storage: Int, byteCount: Int, offset: Int
  ) throws {
    guard let names = TorchNames.names(of: tensor.dtype), let width = tensor.dtype.byteWidth else {
      throw FormatError(
        .unsupportedDtype, subject: tensor.name, expected: "an element type of torch",
        found: tensor.dtype.rawValue)
    }
    global("torch._utils", names.storage == nil ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2")
    op(.mark)
    // A storage counts its own elements; one without a class of its own counts bytes.
    persistentStorage(
      names.storage, storage, count: names.storage == nil ? byteCount : byteCount / width)
    integer(offset / width)
    tuple(tensor.shape)
    tuple(Self.strides(tensor.shape))
    op(.newFalse)
    orderedDict()
    if names.storage == nil { global("torch", names.dtype) }
    op(.tuple)
    op(.reduce)
  }

  private mutating func persistentStorage(_ name: String?, _ key: Int, count: Int) {
    op(.mark)
    text("storage")
    if let name { global("torch", name) } else { global("torch.storage", "UntypedStorage") }
    text("\(key)")
    text("cpu")
    integer(count)
    op(.tuple)
    op(.binPersistentID)
  }

  /// The strides of a packed tensor, in elements; an extent of zero counts as one, as in torch.
  private static func strides(_ shape: [Int]) -> [Int] {
    var strides: [Int] = []
    var step = 1
    for extent in shape.reversed() {
      strides.append(step)
      // A tensor without elements may have extents whose product does not fit; its strides are
      // never used.
      let (product, overflow) = step.multipliedReportingOverflow(by: max(extent, 1))
      step = overflow ? 1 : product
    }
    return strides.reversed()
  }

  // MARK: - Opcodes

  private mutating func op(_ opcode: PickleOpcode) { bytes.append(opcode.rawValue) }

  private mutating func orderedDict() {
    global("collections", "OrderedDict")
    op(.emptyTuple)
    op(.reduce)
  }

  private mutating func global(_ module: String, _ name: String) {
    let text = "\(module)\n\(name)\n"
    if let place = memo[text] {
      op(.binGet)
      bytes.append(place)
    } else {
      op(.global)
      bytes += text.utf8
      let place = UInt8(memo.count)
      memo[text] = place
      op(.binPut)
      bytes.append(place)
    }
  }

  private mutating func text(_ value: String) {
    op(.binUnicode)
    bytes.append(littleEndian: UInt32(value.utf8.count))
    bytes += value.utf8
  }

  private mutating func integer(_ value: Int) {
    switch value {
    case 0...0xFF:
      op(.binInt1)
      bytes.append(UInt8(value))
    case 0...0xFFFF:
      op(.binInt2)
      bytes.append(littleEndian: UInt16(value))
    case 0...Int(Int32.max):
      op(.binInt)
      bytes.append(littleEndian: UInt32(value))
    default:
      op(.long1)
      bytes.append(8)
      bytes.append(littleEndian: UInt64(value))
    }
  }

  private mutating func tuple(_ values: [Int]) {
    op(.mark)
    for value in values { integer(value) }
    op(.tuple)
  }
}

extension [UInt8] {
  /// Appends a number's bytes, least significant first.
  mutating func append(littleEndian value: some FixedWidthInteger & UnsignedInteger) {
    for byte in 0..<value.bitWidth / 8 {
      append(UInt8(truncatingIfNeeded: value >> (8 * byte)))
    }
  }
}
