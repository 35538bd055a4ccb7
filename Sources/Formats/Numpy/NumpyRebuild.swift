import Support

/// Turns the calls by which numpy rebuilds an array into a description of that array.
///
/// Source: numpy/_core/src/multiarray/methods.c (`array_reduce`, `array_setstate`), descriptor.c
/// (`arraydescr_setstate`) and numpy/_core/numeric.py (`_frombuffer`); nothing is called here.
struct NumpyRebuild: PickleTensors {
  typealias ID = PickleDocument.ID

  /// An array and where its bytes are.
  struct Tensor: DescribedTensor, Sendable {
    var array: NumpyArray
    var content: NumpyContent
    var info: TensorInfo { array.info }
  }

  let document: PickleDocument
  let nameOfLoneTensor: TensorName = "array"
  let remedyForObjects = "save the arrays in a dictionary, or choose a part with --key"

  private enum Function: String {
    case reconstruct = "numpy._core.multiarray._reconstruct"
    case frombuffer = "numpy._core.numeric._frombuffer"
    case scalar = "numpy._core.multiarray.scalar"
  }

  /// The constructors that arrays are made with, which are understood and so not inert.
  static func isUnderstood(_ name: String) -> Bool {
    ["numpy.dtype", "builtins.bytes", "__builtin__.bytes"].contains(name)
      || Function(rawValue: PickleGlobalPolicy.canonicalModule(name)) != nil
  }

  func presence(_ id: ID) -> TensorPresence {
    switch function(id) {
    case .reconstruct, .frombuffer: .tensor
    case .scalar: isNumber(id) ? .number : .none
    case nil: .none
    }
  }

  func tensor(_ id: ID, name: TensorName) throws -> Tensor {
    try naming(name.text) {
      guard let function = function(id), let call = document.call(id) else {
        throw bad("an array", "a \(document.kind(id))")
      }
      switch function {
      case .reconstruct: return try reconstructed(id, call.arguments, name)
      case .frombuffer: return try buffered(call.arguments, name)
      case .scalar: return try scalar(call.arguments, name)
      }
    }
  }

  private func function(_ id: ID) -> Function? {
    document.callee(id).flatMap {
      Function(rawValue: PickleGlobalPolicy.canonicalModule($0.module) + "." + $0.name)
    }
  }

  /// Text and dates are scalars too, but no tensors.
  private func isNumber(_ id: ID) -> Bool {
    guard let type = document.call(id)?.arguments.first, document.callee(type)?.name == "dtype",
      let spelling = document.call(type)?.arguments.first.flatMap(document.string)
    else { return false }
    return NumpyDType.isNumeric(spelling)
  }

  // MARK: - Arrays

  /// `_reconstruct(ndarray, (0,), b'b')` makes a shell that BUILD fills.
  private func reconstructed(_ id: ID, _ arguments: [ID], _ name: TensorName) throws -> Tensor {
    guard arguments.count == 3, document.global(arguments[0])?.qualified == "numpy.ndarray" else {
      throw bad("numpy.ndarray, a shape and a type", describe(arguments))
    }
    let states = document.arguments(id).dropFirst(2)
    guard states.count == 1, let state = states.first, document.kind(state) == .tuple else {
      throw bad("one state", "\(states.count)")
    }
    let fields = document.arguments(state)
    guard fields.count == 5, document.integer(fields[0]) == 1 else {
      throw bad("version 1, shape, type, order and data", describe(fields))
    }
    let isFortran = document.bool(fields[3]) ?? document.integer(fields[3]).map { $0 != 0 }
    guard let isFortran else { throw bad("an order that is true or false", describe([fields[3]])) }
    let type = try dtype(fields[2])
    let info = try info(name, type, extents(fields[1]))
    let layout = try StridedLayout(packed: info, isFortran: isFortran)
    return try tensor(info, layout, type, data: fields[4])
  }

  /// `_frombuffer(data, dtype, shape, order)`; order 'K' adds the places of the axes.
  private func buffered(_ arguments: [ID], _ name: TensorName) throws -> Tensor {
    guard (4...5).contains(arguments.count) else {
      throw bad("data, type, shape and order", describe(arguments))
    }
    let type = try dtype(arguments[1])
    let stored = try extents(arguments[2])
    switch (document.string(arguments[3]), arguments.count > 4 ? arguments[4] : 0) {
    case ("C", 0), ("F", 0):
      let info = try info(name, type, stored)
      let isFortran = document.string(arguments[3]) == "F"
      let layout = try StridedLayout(packed: info, isFortran: isFortran)
      return try tensor(info, layout, type, data: arguments[0])
    case ("K", let axes) where document.sequence(axes) != nil:
      return try transposed(name, type, stored, axes, data: arguments[0])
    case (let order, _):
      throw bad("order C or F, or K with axes", "'\(order ?? "")' of \(arguments.count) arguments")
    }
  }

  /// The stored array in C order with its axes exchanged.
  private func transposed(
    _ name: TensorName, _ type: NumpyDType, _ stored: [Int], _ axesID: ID, data: ID
  ) throws -> Tensor {
    let axes = document.sequence(axesID)?.compactMap(document.integer) ?? []
    guard axes.sorted() == Array(stored.indices) else {
      throw bad("each of \(stored.count) axes once", "\(axes.prefix(Budgets.rank))")
    }
    let info = try info(name, type, axes.map { stored[$0] })
    let strides = StridedLayout.packedStrides(stored, isFortran: false)
    let layout = try StridedLayout(info, strides: axes.map { strides[$0] })
    return try tensor(info, layout, type, data: data)
  }

  private func scalar(_ arguments: [ID], _ name: TensorName) throws -> Tensor {
    guard arguments.count == 2 else { throw bad("a type and data", describe(arguments)) }
    let type = try dtype(arguments[0])
    let info = try info(name, type, [])
    return try tensor(info, StridedLayout(packed: info), type, data: arguments[1])
  }

  private func tensor(
    _ info: TensorInfo, _ layout: StridedLayout, _ type: NumpyDType, data: ID
  ) throws -> Tensor {
    let content = try NumpyContent(data, in: document)
    return Tensor(
      array: NumpyArray(info, layout: layout, isSwapped: type.isSwapped), content: content)
  }

  // MARK: - Parts

  /// `numpy.dtype('f4', False, True)`, whose state tells the byte order.
  private func dtype(_ id: ID) throws -> NumpyDType {
    guard document.callee(id)?.qualified == "numpy.dtype", let call = document.call(id),
      (1...3).contains(call.arguments.count)
    else { throw bad("a numpy.dtype", describe([id])) }
    guard let spelling = document.string(call.arguments[0]) else {
      throw FormatError(
        .unsupportedDtype, expected: "booleans, integers, floats or complex numbers",
        found: describe([call.arguments[0]]))
    }
    var type = try NumpyDType(spelling)
    let states = document.arguments(id).dropFirst(2)
    guard states.count <= 1 else { throw bad("one state of a dtype", "\(states.count)") }
    if let state = states.first { type.order = try order(state, of: type) }
    return type
  }

  /// `(3, '<', subarray, names, fields, itemsize, alignment, flags)`: a plain number has only an
  /// order.
  private func order(_ state: ID, of type: NumpyDType) throws -> NumpyDType.Order {
    let fields = document.kind(state) == .tuple ? document.arguments(state) : []
    guard (7...9).contains(fields.count), let version = document.integer(fields[0]),
      (1...4).contains(version)
    else { throw bad("a dtype's state of version 1 to 4", describe(fields)) }
    guard fields[2...4].allSatisfy({ document.kind($0) == .none }) else {
      throw FormatError(
        .unsupportedDtype, expected: "booleans, integers, floats or complex numbers",
        found: "records", remedy: "store every field as an array of its own")
    }
    guard let size = document.integer(fields[5]), size == -1 || size == type.dtype.byteWidth else {
      throw bad("an item size of \(type.dtype.byteWidth ?? 1)", describe([fields[5]]))
    }
    guard let text = document.string(fields[1]), text.utf8.count == 1,
      let order = text.first.flatMap(NumpyDType.Order.init(rawValue:))
    else { throw bad("a byte order of <, >, = or |", describe([fields[1]])) }
    return order
  }

  private func extents(_ id: ID) throws -> [Int] {
    guard let items = document.sequence(id) else { throw bad("a shape", describe([id])) }
    let extents = items.compactMap(document.integer)
    guard extents.count == items.count, extents.allSatisfy({ $0 >= 0 }) else {
      throw bad("whole numbers ≥ 0 as a shape", describe(items))
    }
    return extents
  }

  /// A shape whose bytes cannot be counted is one that the data cannot have.
  private func info(_ name: TensorName, _ type: NumpyDType, _ shape: [Int]) throws -> TensorInfo {
    do {
      return try TensorInfo(name: name, dtype: type.dtype, shape: shape)
    } catch var error as FormatError where error.code == .overflow {
      error.code = .sizeMismatch
      throw error
    }
  }

  private func bad(_ expected: String, _ found: String) -> FormatError {
    FormatError(.badArrayState, expected: expected, found: found)
  }

  /// A few values by kind, or themselves where they are short.
  private func describe(_ values: [ID]) -> String {
    values.prefix(9).map(describe).joined(separator: ", ")
  }

  private func describe(_ id: ID) -> String {
    if let number = document.integer(id) { return "\(number)" }
    if let text = document.string(id) { return "'\(text)'" }
    if let name = document.global(id) ?? document.callee(id) { return name.qualified }
    return "a \(document.kind(id))"
  }
}
