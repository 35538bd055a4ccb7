import Support

/// Turns the calls by which torch rebuilds a tensor into a description of that tensor.
///
/// Source: torch/_utils.py and torch/_tensor.py (`_rebuild_*`); nothing is called here.
struct TorchRebuild: PickleTensors {
  typealias ID = PickleDocument.ID

  let document: PickleDocument

  /// How many arguments each function takes.
  private static let arity: [String: ClosedRange<Int>] = [
    "torch._utils._rebuild_tensor": 4...4,
    "torch._utils._rebuild_tensor_v2": 6...7,
    "torch._utils._rebuild_tensor_v3": 7...8,
    "torch._utils._rebuild_parameter": 3...3,
    "torch._utils._rebuild_parameter_with_state": 4...4,
    "torch._utils._rebuild_qtensor": 7...7,
    "torch._utils._rebuild_sparse_tensor": 2...2,
    "torch._utils._rebuild_meta_tensor_no_storage": 4...4,
    "torch._utils._rebuild_wrapper_subclass": 7...9,
    "torch._utils._rebuild_device_tensor_from_numpy": 4...4,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": 4...4,
    "torch._tensor._rebuild_from_type_v2": 4...4,
  ]

  let nameOfLoneTensor: TensorName = "tensor"
  let remedyForObjects =
    "save model.state_dict() instead of the object, or choose a part with --key"

  func presence(_ id: ID) -> TensorPresence {
    guard let callee = document.callee(id) else { return .none }
    return Self.arity[Self.canonical(callee)] != nil ? .tensor : .none
  }

  private static func canonical(_ global: PickleDocument.Global) -> String {
    PickleGlobalPolicy.canonicalModule(global.module) + "." + global.name
  }

  func tensor(_ id: ID, name: TensorName) throws -> TorchView {
    do {
      return try unwrap(id, name)
    } catch var error as FormatError where error.subject == nil {
      error.subject = name.description
      throw error
    }
  }

  /// Follows parameters and subclasses down to the tensor that they wrap.
  private func unwrap(_ id: ID, _ name: TensorName) throws -> TorchView {
    guard let call = document.call(id) else { throw badArgument("a tensor", id) }
    var (function, arguments) = (Self.canonical(call.callee), call.arguments)
    for _ in 0..<Budgets.pickleDepth {
      guard let arity = Self.arity[function] else {
        throw FormatError(.forbiddenGlobal, subject: function)
      }
      guard arity.contains(arguments.count) else {
        throw FormatError(
          .badArity, subject: name, expected: "\(arity) for \(function)",
          found: "\(arguments.count)")
      }
      switch function {
      case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
        "torch._utils._rebuild_device_tensor_from_cpu_tensor":
        guard let inner = document.call(arguments[0]) else {
          throw badArgument("a tensor", arguments[0])
        }
        (function, arguments) = (Self.canonical(inner.callee), inner.arguments)
      case "torch._tensor._rebuild_from_type_v2":
        guard let inner = document.global(arguments[0]) else {
          throw badArgument("a function", arguments[0])
        }
        guard document.kind(arguments[2]) == .tuple else {
          throw badArgument("a tuple", arguments[2])
        }
        (function, arguments) = (Self.canonical(inner), document.arguments(arguments[2]))
      default: return try leaf(function, arguments, name)
      }
    }
    throw FormatError(.depthLimit, subject: name)
  }

  private func leaf(_ function: String, _ arguments: [ID], _ name: TensorName) throws -> TorchView {
    switch function.split(separator: ".").last {
    case "_rebuild_tensor", "_rebuild_tensor_v2":
      return try strided(arguments, nil, metadata: arguments.count > 6 ? arguments[6] : nil, name)
    case "_rebuild_tensor_v3":
      let dtype = try dtype(arguments[6])
      return try strided(arguments, dtype, metadata: arguments.count > 7 ? arguments[7] : nil, name)
    case "_rebuild_qtensor":
      try TorchQuantised(document: document, rebuild: self).check(arguments)
      throw unsupported("a quantised tensor", "tensor.dequantize()")
    case "_rebuild_sparse_tensor":
      try TorchSparse(document: document, rebuild: self).check(arguments)
      throw unsupported("a sparse tensor", "tensor.to_dense()")
    case "_rebuild_meta_tensor_no_storage":
      throw FormatError(
        .noTensorData, subject: name, expected: "a tensor with bytes", found: "a meta tensor",
        remedy: "save the model after its weights have been loaded")
    default: throw unsupported("a tensor of \(function)", "tensor.detach().cpu()")
    }
  }

  private func unsupported(_ kind: String, _ conversion: String) -> FormatError {
    FormatError(
      .unsupportedTensor, expected: "a dense tensor", found: kind,
      remedy: "store \(conversion) instead")
  }

  private func strided(
    _ arguments: [ID], _ explicit: DType?, metadata: ID?, _ name: TensorName
  ) throws -> TorchView {
    guard let storage = document.storage(arguments[0]) else {
      throw badArgument("a storage", arguments[0])
    }
    guard let stored = TorchNames.storageDType(storage.className) else {
      throw FormatError(
        .unsupportedDtype, subject: name, expected: "a storage class of torch",
        found: storage.className)
    }
    let shape = try integers(arguments[2])
    let info = try TensorInfo(name: name, dtype: explicit ?? stored, shape: shape)
    var view = try TorchView(
      info: info, storage: storage, offset: integer(arguments[1]), strides: integers(arguments[3]))
    try apply(metadata, to: &view)
    return view
  }

  private func apply(_ metadata: ID?, to view: inout TorchView) throws {
    guard let metadata, document.kind(metadata) != .none else { return }
    guard document.kind(metadata) == .dict, document.count(metadata) <= Budgets.arguments else {
      throw badArgument("a small dictionary", metadata)
    }
    for (key, value) in document.pairs(metadata) {
      switch document.string(key) {
      case "conj": view.isConjugated = document.bool(value) ?? false
      case "neg": view.isNegated = document.bool(value) ?? false
      default: break
      }
    }
  }

  // MARK: - Arguments

  private func dtype(_ id: ID) throws -> DType {
    guard let global = document.global(id) else { throw badArgument("a dtype", id) }
    guard global.module == "torch", let dtype = TorchNames.dtypes[global.name] else {
      throw FormatError(
        .unsupportedDtype, expected: "a dtype of torch", found: global.qualified)
    }
    return dtype
  }

  func integer(_ id: ID) throws -> Int {
    if document.kind(id) == .bigInteger {
      throw FormatError(.integerTooLarge, expected: "63 bits")
    }
    guard let value = document.integer(id) else { throw badArgument("an integer", id) }
    return value
  }

  /// A tuple or list of integers, or a `torch.Size` of one.
  func integers(_ id: ID) throws -> [Int] {
    if let call = document.call(id), call.callee.qualified == "torch.Size",
      call.arguments.count == 1
    {
      return try integers(call.arguments[0])
    }
    guard let items = document.sequence(id) else { throw badArgument("a tuple of integers", id) }
    guard items.count <= Budgets.rank else {
      throw FormatError(
        .rankLimit, expected: "at most \(Budgets.rank) dimensions", found: "\(items.count)")
    }
    return try items.map(integer)
  }

  func badArgument(_ expected: String, _ id: ID) -> FormatError {
    FormatError(.badArgument, expected: expected, found: "a \(document.kind(id))")
  }
}
